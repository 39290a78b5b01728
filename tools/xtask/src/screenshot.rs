//! `cargo xtask screenshot`: what the PC's screen shows, as a PNG for the README.

use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::disk::{Fat, Layout, Maker};
use crate::e2e::clients::{curl, url};
use crate::e2e::guest::{Guest, Setup};
use crate::e2e::{Stage, files};
use crate::qmp::Qmp;
use crate::{image, setup};

/// Boot the server, send and fetch a file, and take a picture of its screen
#[derive(Args)]
pub struct Options {
    /// The PNG to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keys to press together first, by QEMU's names, as in alt-h
    #[arg(long, value_name = "KEYS")]
    keys: Option<String>,
}

impl Options {
    /// Boots, presses, takes the picture.
    pub fn run(&self) -> Result<()> {
        setup::programs(&[setup::QEMU])?;
        setup::programs(setup::DISK_TOOLS)?;
        let stage = Stage::set(&image::build_kernel()?, "screenshot")?;
        let layout =
            Layout { fat: Fat::Fat16, megabytes: 40, partitioned: true, maker: Maker::Mkfs };
        let setup = Setup::with_disks(&[layout])?;
        let guest = Guest::boot(&stage, "picture", &setup, |disks, _| {
            disks.iter().try_for_each(|disk| disk.mkdir(&["/PUB", "/PUB/INCOMING", "/INCOMING"]))
        })?;
        // Something to show: a file comes and goes.
        files::make(guest.dir(), "game.zip", 750_000, 1)?;
        let at = url(&guest, "/drive_c/pub/game.zip");
        curl(&guest, &["-T", "game.zip", &at])?;
        curl(&guest, &["-O", &at])?;
        let mut qmp = guest.qmp()?;
        if let Some(keys) = &self.keys {
            qmp.keys(&keys.split('-').collect::<Vec<_>>())?;
        }
        // The server answers a key within 100 ms.
        std::thread::sleep(Duration::from_secs(1));
        take(&mut qmp, &guest.dir().join("screen.ppm"), &self.out)?;
        println!("{}", self.out.display());
        guest.finish()
    }
}

/// Takes the picture of a running guest by way of the PPM that QEMU writes.
fn take(qmp: &mut Qmp, ppm: &Path, png: &Path) -> Result<()> {
    qmp.screen(ppm)?;
    let bytes = fs::read(ppm)?;
    let (width, height, pixels) = parse_ppm(&bytes).context("QEMU's picture is no PPM")?;
    ensure!(pixels.len() == width as usize * height as usize * 3, "the picture is cut short");
    let file = BufWriter::new(fs::File::create(png)?);
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(())
}

/// Width, height and pixels of a binary PPM with eight bits a colour.
fn parse_ppm(bytes: &[u8]) -> Option<(u32, u32, &[u8])> {
    let mut fields = bytes.splitn(4, u8::is_ascii_whitespace);
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    let (magic, width, height) = (text()?, text()?.parse().ok()?, text()?.parse().ok()?);
    let pixels = fields.next()?.strip_prefix(b"255\n")?;
    (magic == "P6").then_some((width, height, pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_a_ppm_is_read() {
        assert_eq!(parse_ppm(b"P6\n2 1\n255\nabcdef"), Some((2, 1, &b"abcdef"[..])));
        assert_eq!(parse_ppm(b"P5\n2 1\n255\nab"), None);
        assert_eq!(parse_ppm(b"P6\n2"), None);
    }
}
