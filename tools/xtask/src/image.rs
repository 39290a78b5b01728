//! `cargo xtask image`: a boot floppy, with its two text files checked by the server's own parser.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use ftpsrv::config::{Message, Password, Settings, Severity, Users};

use crate::floppy::FloppySize;
use crate::kernel::Kernel;
use crate::{floppy, gate, hard_disk, kernel, mtcp_cfg, setup, workspace};

/// Make a boot floppy
#[derive(Args)]
pub struct Options {
    /// Where ftpsrv.img goes
    #[arg(long, value_name = "DIR", required_unless_present = "hdd_image")]
    out: Option<PathBuf>,
    /// Make a bootable hard disk or CompactFlash image: a FAT16 partition that is also served as C:
    #[arg(long, value_name = "FILE")]
    hdd_image: Option<PathBuf>,
    /// Put on the floppy as MTCP.CFG
    #[arg(long, value_name = "FILE", conflicts_with = "ip")]
    config: Option<PathBuf>,
    /// Put on the floppy as FTPPASS.TXT [default: ftppass.txt of the top level]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "anonymous"])]
    passwords: Option<PathBuf>,
    /// Kilobytes that the floppy holds
    #[arg(long, value_name = "KB", default_value = "1440", value_parser = floppy_size)]
    floppy_size: FloppySize,
    /// The PC's address: dhcp, or ADDRESS/BITS and perhaps ,GATEWAY
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<Address>,
    /// A user who may do everything, in a sandbox if one is named: NAME:PASSWORD[:/drive_c/DIR]; repeatable
    #[arg(long, value_name = "USER")]
    user: Vec<String>,
    /// Let anybody read this directory: /drive_c/DIR
    #[arg(long, value_name = "DIR")]
    anonymous: Option<String>,
}

/// Where the PC gets its address from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Dhcp,
    Fixed { address: Ipv4Addr, bits: u32, gateway: Option<Ipv4Addr> },
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        let wrong = || "dhcp, or an address like 192.168.1.100/24 or 192.168.1.100/24,192.168.1.1";
        if text.eq_ignore_ascii_case("dhcp") {
            return Ok(Address::Dhcp);
        }
        let (own, gateway) = match text.split_once(',') {
            Some((own, gateway)) => (own, Some(gateway.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let (address, bits) = own.split_once('/').ok_or_else(wrong)?;
        let address = address.parse().map_err(|_| wrong())?;
        let bits = bits.parse().ok().filter(|bits| (1..=30).contains(bits)).ok_or_else(wrong)?;
        Ok(Address::Fixed { address, bits, gateway })
    }
}

impl Options {
    /// Makes the image.
    pub fn run(&self) -> Result<()> {
        let (config, passwords) = self.files()?;
        check(&config, &passwords).map_err(|mistakes| anyhow::anyhow!(mistakes))?;
        let kernel = build_kernel()?;
        if let Some(out) = &self.out {
            fs::create_dir_all(out).with_context(|| out.display().to_string())?;
            let image = out.join("ftpsrv.img");
            write_floppy(&kernel, self.floppy_size, &config, &passwords, &image)?;
            println!("{}", image.display());
        }
        if let Some(image) = &self.hdd_image {
            setup::programs(setup::DISK_TOOLS)?;
            hard_disk::make(&kernel, image, &config, &passwords)?;
            println!("{}", image.display());
        }
        for line in gate::figures(&kernel) {
            eprintln!("kernel: {line}");
        }
        Ok(())
    }

    fn files(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let read = |file: &Path| fs::read(file).with_context(|| file.display().to_string());
        let config = match (&self.config, &self.ip) {
            (Some(file), _) => read(file)?,
            (None, Some(address)) => with_address(address),
            (None, None) => mtcp_cfg::SAMPLE.into(),
        };
        let sample = workspace::root().join("ftppass.txt");
        let passwords = if self.user.is_empty() && self.anonymous.is_none() {
            read(self.passwords.as_deref().unwrap_or(&sample))?
        } else {
            password_file(&self.user, self.anonymous.as_deref())?
        };
        Ok((config, passwords))
    }
}

fn with_address(address: &Address) -> Vec<u8> {
    let Address::Fixed { address, bits, gateway } = address else {
        return mtcp_cfg::SAMPLE.into();
    };
    let mask = Ipv4Addr::from_bits(u32::MAX << (32 - bits));
    let mut lines = format!("IPADDR     {address}\r\nNETMASK    {mask}\r\n");
    if let Some(gateway) = gateway {
        lines += &format!("GATEWAY    {gateway}\r\n");
    }
    // The lines of the sample that show how an address is written give way to the address.
    let shown = ["# IPADDR", "# NETMASK", "# GATEWAY"];
    let kept = |line: &&str| !shown.iter().any(|start| line.starts_with(start));
    let mut text: Vec<&str> = mtcp_cfg::SAMPLE.split_inclusive('\n').filter(kept).collect();
    let place = text.iter().position(|line| line.starts_with("HOSTNAME")).unwrap_or(text.len());
    text.insert(place, &lines);
    text.concat().into_bytes()
}

/// A password file for `--user` and `--anonymous`.
fn password_file(users: &[String], anonymous: Option<&str>) -> Result<Vec<u8>> {
    let mut text = String::from(
        "# FTPPASS.TXT: userid password sandbox_directory incoming_directory permissions\r\n",
    );
    for user in users {
        let mut parts = user.splitn(3, ':');
        let (Some(name), Some(password)) = (parts.next(), parts.next()) else {
            bail!("--user {user}: it must be NAME:PASSWORD or NAME:PASSWORD:/drive_c/DIR");
        };
        let sandbox = parts.next().unwrap_or("[none]");
        let blank = [name, password, sandbox].iter().any(|part| {
            part.is_empty() || part.contains(|letter: char| letter.is_ascii_whitespace())
        });
        ensure!(!blank, "--user {user}: a part of it is empty or has a blank");
        writeln!(text, "{name:10} {password:10} {sandbox} [any] all\r")?;
    }
    if let Some(directory) = anonymous {
        let blank = directory.contains(|letter: char| letter.is_ascii_whitespace());
        ensure!(!blank, "--anonymous {directory}: it has a blank");
        writeln!(text, "{:10} {:10} {directory} [any]\r", "anonymous", "[email]")?;
        writeln!(text, "{:10} {:10} {directory} [any]\r", "ftp", "[email]")?;
    }
    Ok(text.into_bytes())
}

/// What the server will say about the two files, as an error if it would not start with them.
pub fn check(config: &[u8], passwords: &[u8]) -> Result<(), String> {
    let mut said = String::new();
    let mut sink = |message: &Message<'_>| {
        if message.severity != Severity::Note {
            // Writing to a String cannot fail.
            let _ = writeln!(said, "{message}");
        }
    };
    let settings = Settings::parse(config, "MTCP.CFG", &mut sink);
    let users = Users::new(passwords).check("FTPPASS.TXT", &mut sink);
    if settings.is_ok() && users.is_ok() {
        eprint!("{said}");
        return Ok(());
    }
    Err(said.trim_end().to_owned())
}

/// A line for each user, with how to log in. Passwords are told of the sample file alone.
pub fn users(passwords: &[u8]) -> Vec<String> {
    let sample = fs::read(workspace::root().join("ftppass.txt")).unwrap_or_default();
    let line = |user: ftpsrv::config::User<'_>| {
        let name = String::from_utf8_lossy(user.name).into_owned();
        match user.password {
            Password::Email => format!("{name}, with any address as password"),
            Password::Text(text) if passwords == sample => {
                format!("{name}, password {}", String::from_utf8_lossy(text))
            }
            Password::Text(_) => name,
        }
    };
    Users::new(passwords).iter().map(line).collect()
}

/// Sets up and builds the kernel.
pub fn build_kernel() -> Result<Kernel> {
    kernel::build(&workspace::root(), setup::build()?.cargo())
}

/// A 1.44 MB floppy with these two files.
pub fn floppy(kernel: &Kernel, config: &[u8], passwords: &[u8], out: &Path) -> Result<()> {
    write_floppy(kernel, FloppySize::Kb1440, config, passwords, out)
}

fn write_floppy(
    kernel: &Kernel,
    size: FloppySize,
    config: &[u8],
    passwords: &[u8],
    out: &Path,
) -> Result<()> {
    let files = [("MTCP.CFG", config), ("FTPPASS.TXT", passwords)];
    let image = floppy::make(kernel, size, &files)?;
    fs::write(out, image).with_context(|| out.display().to_string())
}

fn floppy_size(text: &str) -> Result<FloppySize, String> {
    let names = FloppySize::ALL.map(FloppySize::name).join(", ");
    let found = FloppySize::ALL.into_iter().find(|size| size.name() == text);
    found.ok_or_else(|| format!("one of {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_dhcp_or_has_its_bits() {
        assert_eq!("DHCP".parse(), Ok(Address::Dhcp));
        let full = Address::Fixed {
            address: Ipv4Addr::new(192, 168, 1, 9),
            bits: 24,
            gateway: Some(Ipv4Addr::new(192, 168, 1, 1)),
        };
        assert_eq!("192.168.1.9/24,192.168.1.1".parse(), Ok(full));
        for wrong in ["", "192.168.1.9", "192.168.1.9/0", "192.168.1.9/33", "1.2.3.4/24,x"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_files_made_of_options_pass_the_servers_parser() {
        let config = with_address(&"192.168.1.9/24,192.168.1.1".parse().expect("an address"));
        let users = ["me:secret".to_owned(), "you:other:/drive_c/you".to_owned()];
        let passwords = password_file(&users, Some("/drive_c/pub")).expect("users");
        check(&config, &passwords).expect("files that the server takes");
        let text = String::from_utf8(config).expect("text");
        assert!(text.contains("\r\nNETMASK    255.255.255.0\r\n"));
        assert_eq!(super::users(&passwords).len(), 4);
    }

    #[test]
    fn the_samples_pass_the_servers_parser() {
        let passwords = fs::read(workspace::root().join("ftppass.txt")).expect("ftppass.txt");
        check(mtcp_cfg::SAMPLE.as_bytes(), &passwords).expect("files that the server takes");
        assert!(users(&passwords)[0].ends_with("password passw0rd"));
    }

    #[test]
    fn what_run_sets_for_the_nat_passes_too() {
        let settings = "2122-2185".parse::<crate::run::PortRange>().expect("ports").nat_settings();
        let config = mtcp_cfg::overlay(mtcp_cfg::SAMPLE.as_bytes(), &settings);
        check(&config, b"me secret [none] [any] all\n").expect("a file that the server takes");
    }

    #[test]
    fn mistakes_are_told_with_file_and_line() {
        let config = b"FTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r\nFTPSRV_CLIENTS 11\r\n";
        let said = check(config, b"me secret [none] [any] fly\n").expect_err("two mistakes");
        assert!(said.contains("MTCP.CFG line 2: FTPSRV_CLIENTS 11"), "{said}");
        assert!(said.contains("FTPPASS.TXT line 1"), "{said}");
    }

    #[test]
    fn users_with_blanks_are_refused() {
        assert!(password_file(&["a b:c".into()], None).is_err());
        assert!(password_file(&["a".into()], None).is_err());
    }
}
