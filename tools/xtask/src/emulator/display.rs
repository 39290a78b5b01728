//! The PC's display adapter, and whether there is a screen to open a window on.

use std::path::Path;

use clap::ValueEnum;

use crate::process;

/// The PC's display adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Adapter {
    Vga,
    Ega,
    Cga,
    /// A monochrome display
    Hercules,
    None,
}

/// Where the PC's screen goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    None,
    /// A window by this back end of QEMU's.
    Window(&'static str),
}

impl Display {
    /// Whether there is a desktop, or why not.
    pub fn session() -> Result<(), String> {
        let names = ["DISPLAY", "WAYLAND_DISPLAY"];
        let named = |name: &&str| std::env::var_os(name).is_some_and(|at| !at.is_empty());
        let own = cfg!(target_os = "macos") || cfg!(windows);
        if own || names.iter().any(named) { Ok(()) } else { Err("there is no display".into()) }
    }

    /// The window that this `qemu` can open here, or why it cannot.
    pub fn window(qemu: &Path) -> Result<Display, String> {
        Display::session()?;
        let wanted: &[&str] = if cfg!(target_os = "macos") { &["cocoa"] } else { &["gtk", "sdl"] };
        let known = process::output(process::command(qemu).args(["-display", "help"]));
        let known = known.unwrap_or_default();
        let found = wanted.iter().find(|name| known.lines().any(|line| line.trim() == **name));
        found.map(|name| Display::Window(name)).ok_or_else(|| {
            "this QEMU opens no window (on Debian: apt-get install qemu-system-gui)".into()
        })
    }
}
