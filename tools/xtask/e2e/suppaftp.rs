//! The crate suppaftp: list, upload, download, resume, rename, delete, directories, in each mode:
//! with_suppaftp HOST PORT USER PASSWORD
//!
//! Sends up.bin of the current directory as /drive_c/dir/moved.bin, and in two parts as grown.bin; fetches
//! it as down.bin, active.bin and epsv.bin, and goes on with part.bin.

use std::error::Error;
use std::fs;

use suppaftp::types::FileType;
use suppaftp::{FtpStream, Mode};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, user, password] = arguments.as_slice() else {
        return Err("HOST PORT USER PASSWORD".into());
    };
    let mut ftp = FtpStream::connect(format!("{host}:{port}"))?;
    ftp.login(user, password)?;
    ftp.transfer_type(FileType::Binary)?;
    ftp.cwd("/drive_c")?;
    ftp.mkdir("dir")?;
    ftp.cwd("dir")?;
    files(&mut ftp)?;
    ftp.mkdir("sub")?;
    ftp.rmdir("sub")?;
    if ftp.rmdir("sub").is_ok() {
        return Err("a directory was removed twice".into());
    }
    Ok(ftp.quit()?)
}

fn files(ftp: &mut FtpStream) -> Result<(), Box<dyn Error>> {
    let (up, part) = (fs::read("up.bin")?, fs::read("part.bin")?);
    ftp.put_file("up.bin", &mut up.as_slice())?;
    fs::write("down.bin", ftp.retr_as_buffer("up.bin")?.into_inner())?;
    ftp.resume_transfer(part.len())?;
    let rest = ftp.retr_as_buffer("up.bin")?.into_inner();
    fs::write("part.bin", [part.as_slice(), rest.as_slice()].concat())?;
    ftp.put_file("grown.bin", &mut part.as_slice())?;
    ftp.append_file("grown.bin", &mut &up[part.len()..])?;
    for (mode, name) in [(Mode::Active, "active.bin"), (Mode::ExtendedPassive, "epsv.bin")] {
        ftp.set_mode(mode);
        fs::write(name, ftp.retr_as_buffer("up.bin")?.into_inner())?;
    }
    ftp.set_mode(Mode::Passive);
    if ftp.size("grown.bin")? != up.len() {
        return Err(format!("grown.bin has {} bytes", ftp.size("grown.bin")?).into());
    }
    ftp.rename("up.bin", "moved.bin")?;
    ftp.put_file("gone.bin", &mut part.as_slice())?;
    ftp.rm("gone.bin")?;
    let lines = ftp.list(None)?;
    let listed: Vec<String> = lines
        .iter()
        .map(|line| line.parse::<suppaftp::list::File>().map(|file| file.name().to_uppercase()))
        .collect::<Result<_, _>>()?;
    if !listed.iter().any(|name| name == "MOVED.BIN") || listed.iter().any(|n| n == "GONE.BIN") {
        return Err(format!("it lists {lines:?}").into());
    }
    Ok(())
}
