//! The count's switch, and what a copy costs.

use std::sync::atomic::{AtomicBool, Ordering};

/// What is counted now is the transfer.
static IN_WINDOW: AtomicBool = AtomicBool::new(false);

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
unsafe extern "C" {
    /// Has callgrind begin to count, or end it; does nothing without callgrind.
    safe fn toggle_collect();
}

/// There is nothing to count with.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn toggle_collect() {}

/// Does the server's work, counted when the window is open.
pub fn counted<T>(act: impl FnOnce() -> T) -> T {
    switch();
    let result = act();
    switch();
    result
}

/// Does, within [`counted`], what is not the server's.
pub fn outside<T>(act: impl FnOnce() -> T) -> T {
    counted(act)
}

/// Opens or closes the window.
pub fn open_window(open: bool) {
    IN_WINDOW.store(open, Ordering::Relaxed);
}

#[inline(never)]
fn switch() {
    if IN_WINDOW.load(Ordering::Relaxed) {
        toggle_collect();
    }
}

// Valgrind's client request TOGGLE_COLLECT (valgrind.h, callgrind.h): rotations that add up to nothing,
// and an exchange that does nothing. RDI is the caller's to lose.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
std::arch::global_asm!(
    ".globl toggle_collect",
    "toggle_collect:",
    "lea rax, [rip + 2f]",
    "xor edx, edx",
    "rol rdi, 3",
    "rol rdi, 13",
    "rol rdi, 61",
    "rol rdi, 51",
    "xchg rbx, rbx",
    "ret",
    ".balign 8",
    "2: .quad 0x43540002, 0, 0, 0, 0, 0",
);

// Memory functions as the kernel has them (src/metal/entry.s), for a copy to cost what it costs there.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
std::arch::global_asm!(
    ".globl memcpy, memmove, memset",
    ".type memcpy, @function",
    "memcpy:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "shr rcx, 2",
    "rep movsd",
    "mov ecx, edx",
    "and ecx, 3",
    "rep movsb",
    "ret",
    ".size memcpy, . - memcpy",
    ".type memmove, @function",
    "memmove:",
    "mov rax, rdi",
    "sub rax, rsi",
    "cmp rax, rdx",
    "jae memcpy",
    "mov rax, rdi",
    "lea rdi, [rdi + rdx - 1]",
    "lea rsi, [rsi + rdx - 1]",
    "std",
    "mov ecx, edx",
    "and ecx, 3",
    "rep movsb",
    "mov rcx, rdx",
    "shr rcx, 2",
    "sub rdi, 3",
    "sub rsi, 3",
    "rep movsd",
    "cld",
    "ret",
    ".size memmove, . - memmove",
    ".type memset, @function",
    "memset:",
    "mov r8, rdi",
    "movzx eax, sil",
    "imul eax, eax, 0x01010101",
    "mov rcx, rdx",
    "shr rcx, 2",
    "rep stosd",
    "mov ecx, edx",
    "and ecx, 3",
    "rep stosb",
    "mov rax, r8",
    "ret",
    ".size memset, . - memset",
);
