# From real mode into the kernel, the BIOS thunk, and the entries of all interrupts.
#
# The PICs keep the vectors that the BIOS gave them (08h-0Fh and 70h-77h), in protected mode too: to
# program them anew at every BIOS call would throw away interrupts that wait in them. Vectors 08h to
# 0Fh are exceptions as well; the PIC's in-service register tells which it was.

        .set    CODE32, 0x08
        .set    DATA32, 0x10
        .set    CODE16, 0x18
        .set    DATA16, 0x20
        .set    VECTORS, 0x78
        .set    BDA_TICKS, 0x46C
        .set    BDA_MIDNIGHT, 0x470
        .set    BDA_MOTOR_COUNT, 0x440
        .set    BDA_MOTORS, 0x43F
        .set    TICKS_A_DAY, 0x1800B0

# ---------------------------------------------------------------- 16-bit code

        .section .thunk16, "ax"
        .code16
enter_protected_mode:
        cli
        lgdtl   gdt_pointer
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $CODE32, $unpack

# Another loader's way in, after the Multiboot specification 0.6.96: the whole file comes to where it runs. By
# the thunk's way down to real mode, where its interrupt would be; then on as if the file had been loaded.
        .align  4
        .global multiboot_header, multiboot_end
multiboot_header:
        .set    MULTIBOOT, 0x1BADB002
        .set    HAS_ADDRESSES, 0x10000
        .long   MULTIBOOT, HAS_ADDRESSES, -(MULTIBOOT + HAS_ADDRESSES)
        .long   multiboot_header, kernel_file
        .long   0, 0                    # all of the file; nothing to clear
        .long   multiboot_entry
        .code32
multiboot_entry:
        lgdt    gdt_pointer
        lidt    real_idt_pointer
        movw    $0xEB | (multiboot_real - thunk_interrupt - 2) << 8, thunk_interrupt
        xorl    %eax, %eax
        movl    %eax, low_registers+28  # DS and ES
        ljmp    $CODE16, $thunk_down
        .code16
multiboot_real:
        movb    $0xCD, thunk_interrupt  # int again
        movb    $0x80, BPB_DRIVE        # the files are on the first hard disk
        int     $0x12
        movw    %ax, INFO_MEM12
        jmp     stage2_loaded
multiboot_end:

# The way down: from thunk_call, in a 16-bit code segment, interrupts off.
thunk_down:
        movw    $DATA16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    %cr0, %eax
        andb    $0xFE, %al
        movl    %eax, %cr0
        ljmp    $0, $thunk_real
thunk_real:
        xorw    %ax, %ax
        movw    %ax, %ss
        movl    $low_stack_top, %esp
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ds
        movl    low_registers, %eax
        movl    low_registers+4, %ebx
        movl    low_registers+8, %ecx
        movl    low_registers+12, %edx
        movl    low_registers+16, %esi
        movl    low_registers+20, %edi
        movl    low_registers+24, %ebp
        movw    low_registers+30, %es
        movw    low_registers+28, %ds
        sti
thunk_interrupt:
        int     $0                      # the number is written by thunk_call
        cli
        # AH and the flags are results: nothing may touch them before they are stored.
        pushfl
        pushw   %ds
        pushw   $0
        popw    %ds
        movl    %eax, low_registers
        movl    %ebx, low_registers+4
        popw    low_registers+28
        popl    low_registers+32
        movl    %ecx, low_registers+8
        movl    %edx, low_registers+12
        movl    %esi, low_registers+16
        movl    %edi, low_registers+20
        movl    %ebp, low_registers+24
        movw    %es, low_registers+30
        cld
        call    a20_test                # some BIOS calls switch it off
        jnz     1f
        call    a20_on
        cli
1:      lgdtl   gdt_pointer             # a BIOS that uses protected mode itself loads its own
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $CODE32, $thunk_up

        .align  8
gdt:
        .quad   0
        .quad   0x00CF9A000000FFFF      # 08h: 32-bit code, all memory
        .quad   0x00CF92000000FFFF      # 10h: data, all memory
        .quad   0x00009A000000FFFF      # 18h: 16-bit code, first 64 KB
        .quad   0x000092000000FFFF      # 20h: data, first 64 KB
gdt_pointer:
        .word   5*8-1
        .long   gdt
real_idt_pointer:
        .word   0x3FF
        .long   0

# ---------------------------------------------------------------- 32-bit code

# Calls are those of the Intel MCU psABI: a function's first three arguments of 32 bits or less are in
# EAX, EDX and ECX, which it need not keep, what it gives is in EAX, and it keeps all other registers.

        .section .text.entry, "ax"
        .code32
        .global protected_mode_entry
protected_mode_entry:
        movw    $DATA32, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    $stack_top, %esp
        cld
        xorl    %eax, %eax
        movl    $_bss_start, %edi
        movl    $_bss_end, %ecx
        subl    %edi, %ecx
        shrl    $2, %ecx
        rep stosl
        # The guard, which nobody overwrites unless the stack has run over: the Rust side checks it. The
        # stack too, so that its deepest use can be seen in memory (cargo xtask test).
        movl    $0x57AC57AC, %eax
        movl    $stack_guard, %edi
        movl    $stack_top, %ecx
        subl    %edi, %ecx
        shrl    $2, %ecx
        rep stosl
        call    make_idt
        lidt    idt_pointer
        # From the BIOS's interrupts to ours: timer and the second PIC's line, nothing else yet.
        inb     $0x21, %al
        movb    %al, bios_masks
        inb     $0xA1, %al
        movb    %al, bios_masks+1
        movb    $0xFA, %al
        movb    %al, our_masks
        outb    %al, $0x21
        movb    $0xFF, %al
        movb    %al, our_masks+1
        outb    %al, $0xA1
        # A write to the middle of the stack guard raises exception 1 at once (386 debug registers).
        movl    $stack_guard+508, %eax
        movl    %eax, %dr0
        movl    $0x000D0302, %eax       # DR0: global, 4 bytes, writes; exact
        movl    %eax, %dr7
        xorl    %ebp, %ebp
        call    kernel_main
        ud2

make_idt:
        movl    $idt, %edi
        movl    $vector_table, %esi
        movl    $VECTORS, %ecx
1:      lodsl
        testl   %eax, %eax
        jz      2f
        movw    %ax, (%edi)
        movw    $CODE32, 2(%edi)
        movw    $0x8E00, 4(%edi)        # interrupt gate: interrupts off in the handler
        shrl    $16, %eax
        movw    %ax, 6(%edi)
2:      addl    $8, %edi
        loop    1b
        ret

        .text
# thunk_call(number): INT `number` in real mode with the registers of low_registers, interrupts on.
        .global thunk_call
thunk_call:
        pushl   %ebp
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        pushfl
        cli
        movb    %al, thunk_interrupt+1
        movl    %esp, thunk_stack
        movb    bios_masks, %al
        outb    %al, $0x21
        movb    bios_masks+1, %al
        outb    %al, $0xA1
        lidt    real_idt_pointer
        ljmp    $CODE16, $thunk_down
thunk_up:
        movw    $DATA32, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    thunk_stack, %esp
        lidt    idt_pointer
        movb    our_masks, %al
        outb    %al, $0x21
        movb    our_masks+1, %al
        outb    %al, $0xA1
        popfl
        popl    %edi
        popl    %esi
        popl    %ebx
        popl    %ebp
        ret

# ---------------------------------------------------------------- interrupts

# Exceptions without (0) and with (1) an error code of the CPU's.
        .macro  EXCEPTION number, code
exception_\number:
        .if     \code == 0
        pushl   $0
        .endif
        pushl   $\number
        jmp     exception
        .endm

# Vectors 08h-0Fh: an interrupt of the first PIC when that line is in service there.
        .macro  SHARED number, code
shared_\number:
        pushl   %eax
        movb    $0x0B, %al
        outb    %al, $0x20
        inb     $0x20, %al
        testb   $1 << (\number - 8), %al
        popl    %eax
        jnz     irq_\number
        .if     \number == 15
        iret                            # spurious: the PIC withdrew the line
        .else
        .if     \code == 0
        pushl   $0
        .endif
        pushl   $\number
        jmp     exception
        .endif
        .endm

# Lines of network cards: wake the CPU, and stay masked until the kernel polled the card.
        .macro  WAKE1 number
irq_\number:
        pushl   %eax
        inb     $0x21, %al
        orb     $1 << (\number - 8), %al
        outb    %al, $0x21
        movb    $0x20, %al
        outb    %al, $0x20
        popl    %eax
        iret
        .endm
        .macro  WAKE2 number
irq_\number:
        pushl   %eax
        inb     $0xA1, %al
        orb     $1 << (\number - 0x70), %al
        outb    %al, $0xA1
        movb    $0x20, %al
        outb    %al, $0xA0
        outb    %al, $0x20
        popl    %eax
        iret
        .endm

        EXCEPTION 0, 0
        EXCEPTION 2, 0
        EXCEPTION 3, 0
        EXCEPTION 4, 0
        EXCEPTION 5, 0
        EXCEPTION 6, 0
        EXCEPTION 7, 0
        EXCEPTION 16, 0
        EXCEPTION 17, 1
        EXCEPTION 18, 0
        SHARED  8, 1
        SHARED  9, 0
        SHARED  10, 1
        SHARED  11, 1
        SHARED  12, 1
        SHARED  13, 1
        SHARED  14, 1
        SHARED  15, 0
        WAKE1   9
        WAKE1   10
        WAKE1   11
        WAKE1   12
        WAKE1   13
        WAKE1   14
        WAKE1   15
        WAKE2   113
        WAKE2   114
        WAKE2   115
        WAKE2   116
        WAKE2   117
        WAKE2   118

# The watch over the stack's guard. QEMU 7 also sees it hit by writes elsewhere in the page that are not
# aligned: an overflow has changed the guard.
exception_1:
        cmpl    $0x57AC57AC, stack_guard+508
        jne     1f
        pushl   %eax
        xorl    %eax, %eax
        movl    %eax, %dr6
        popl    %eax
        iret
1:      pushl   $0
        pushl   $1
        jmp     exception

# IRQ 0, as the BIOS serves it in INT 08h: the time of day, and the floppy motors' switching off.
irq_8:
        pushl   %eax
        movl    BDA_TICKS, %eax
        incl    %eax
        cmpl    $TICKS_A_DAY, %eax
        jb      1f
        xorl    %eax, %eax
        movb    $1, BDA_MIDNIGHT
1:      movl    %eax, BDA_TICKS
        cmpb    $0, BDA_MOTOR_COUNT
        je      2f
        decb    BDA_MOTOR_COUNT
        jnz     2f
        andb    $0xF0, BDA_MOTORS
        pushl   %edx
        movw    $0x3F2, %dx
        movb    $0x0C, %al
        outb    %al, %dx
        popl    %edx
2:      movb    $0x20, %al
        outb    %al, $0x20
        popl    %eax
        iret

# IRQ 8, the RTC's periodic interrupt: register C has to be read, or it is the last one.
irq_112:
        pushl   %eax
        movb    $0x0C, %al
        outb    %al, $0x70
        inb     $0x71, %al
        incl    rtc_ticks
        movb    $0x20, %al
        outb    %al, $0xA0
        outb    %al, $0x20
        popl    %eax
        iret

# IRQ 15, or a withdrawn line of the second PIC, which is no interrupt there but one of the first's.
irq_119:
        pushl   %eax
        movb    $0x0B, %al
        outb    %al, $0xA0
        inb     $0xA0, %al
        testb   $0x80, %al
        jz      1f
        inb     $0xA1, %al
        orb     $0x80, %al
        outb    %al, $0xA1
        movb    $0x20, %al
        outb    %al, $0xA0
1:      movb    $0x20, %al
        outb    %al, $0x20
        popl    %eax
        iret

# Invalid opcode. BSWAP (0F C8+r), which LLVM emits even for a 386, is done here for a CPU that lacks
# it; all registers else and the flags stay as they are.
invalid_opcode:
        pushal
        movl    32(%esp), %esi          # EIP
        movzwl  (%esi), %eax
        cmpb    $0x0F, %al
        jne     1f
        movb    %ah, %al
        andb    $0xF8, %al
        cmpb    $0xC8, %al
        jne     1f
        movzbl  %ah, %eax
        andl    $7, %eax
        xorl    $7, %eax                # PUSHA stores EAX highest
        movb    $1, lacks_bswap
        movl    (%esp,%eax,4), %edx
        xchgb   %dl, %dh
        roll    $16, %edx
        xchgb   %dl, %dh
        movl    %edx, (%esp,%eax,4)
        addl    $2, 32(%esp)
        popal
        iret
1:      popal
        jmp     exception_6

# Stack: registers of PUSHA, vector, error code, EIP, CS, EFLAGS. See metal::fault.
exception:
        pushal
        cld
        movl    %esp, %eax
        call    kernel_exception
        ud2

        .section .rodata.vectors, "a"
        .align  4
vector_table:
        .long   exception_0, exception_1, exception_2, exception_3
        .long   exception_4, exception_5, invalid_opcode, exception_7
        .long   shared_8, shared_9, shared_10, shared_11
        .long   shared_12, shared_13, shared_14, shared_15
        .long   exception_16, exception_17, exception_18
        .fill   0x70 - 19, 4, 0
        .long   irq_112, irq_113, irq_114, irq_115
        .long   irq_116, irq_117, irq_118, irq_119
idt_pointer:
        .word   VECTORS*8-1
        .long   idt

        .section .bss.entry, "aw", @nobits
        .align  8
idt:
        .skip   VECTORS*8
thunk_stack:
        .skip   4
        .global rtc_ticks
rtc_ticks:
        .skip   4
        .global bios_masks
bios_masks:
        .skip   2
        .global our_masks
our_masks:
        .skip   2
        .global lacks_bswap
lacks_bswap:
        .skip   4

# ---------------------------------------------------------------- memory

# compiler_builtins has these too, weak and byte by byte.
        .text
# memcpy(target, source, length)
        .global memcpy
memcpy:
        pushl   %esi
        pushl   %edi
        movl    %eax, %edi
        movl    %edx, %esi
        movl    %ecx, %edx
        shrl    $2, %ecx
        rep movsl
        movl    %edx, %ecx
        andl    $3, %ecx
        rep movsb
        popl    %edi
        popl    %esi
        ret

        .global memmove
memmove:
        pushl   %eax
        subl    %edx, %eax
        cmpl    %ecx, %eax
        popl    %eax
        jae     memcpy                  # the target starts before the source, or past its end
        pushl   %esi
        pushl   %edi
        leal    -1(%eax,%ecx), %edi
        leal    -1(%edx,%ecx), %esi
        movl    %ecx, %edx
        std
        andl    $3, %ecx
        rep movsb
        movl    %edx, %ecx
        shrl    $2, %ecx
        subl    $3, %edi
        subl    $3, %esi
        rep movsl
        cld
        popl    %edi
        popl    %esi
        ret

# memset(target, byte, length)
        .global memset
memset:
        pushl   %edi
        pushl   %eax
        movl    %eax, %edi
        movzbl  %dl, %eax
        imull   $0x01010101, %eax
        movl    %ecx, %edx
        shrl    $2, %ecx
        rep stosl
        movl    %edx, %ecx
        andl    $3, %ecx
        rep stosb
        popl    %eax
        popl    %edi
        ret
