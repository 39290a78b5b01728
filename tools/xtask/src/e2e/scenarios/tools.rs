//! The FTP clients that people have, each doing what it can: list, upload, download, resume, rename,
//! delete, directories.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::super::clients::{
    PASSWORD, USER, basic_ftp, client, curl, lftp, python, suppaftp, twisted, url,
};
use super::super::guest::{CONFIG, Guest, Setup};
use super::super::{Scenario, Stage, files};
use super::{DISK, directories};

pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("client curl", with_curl),
        Scenario::new("client lftp", with_lftp),
        Scenario::new("client lftp, long names shortened", with_long_names),
        Scenario::new("client wget", with_wget),
        Scenario::new("client ncftp", with_ncftp),
        Scenario::new("client tnftp", with_tnftp),
        Scenario::new("client inetutils ftp", with_inetutils),
        Scenario::new("client rclone", with_rclone),
        Scenario::new("client Python ftplib", with_ftplib),
        Scenario::new("client Twisted", with_twisted),
        Scenario::new("client basic-ftp", with_basic_ftp),
        Scenario::new("client suppaftp", with_suppaftp),
    ]
}

/// What every client uploads.
const SIZE: usize = 1_234_567;
/// How much of it was there before the connection broke.
const HALF: usize = 617_283;

fn boot(stage: &Stage, name: &str) -> Result<Guest> {
    let guest = Guest::boot(stage, name, &Setup::with_disks(&[DISK])?, directories)?;
    files::make(guest.dir(), "up.bin", SIZE, 6)?;
    // The first part of it, for clients that go on where they were cut off: down, and up.
    let bytes = files::bytes(SIZE, 6);
    fs::write(guest.dir().join("part.bin"), &bytes[..HALF])?;
    fs::write(guest.dir().join("half.bin"), &bytes[..HALF])?;
    Ok(guest)
}

/// What came down is what went up, and the disk has it under each name of `on_disk`.
fn finish(mut guest: Guest, downloads: &[&str], on_disk: &[&str]) -> Result<()> {
    let up = guest.dir().join("up.bin");
    downloads.iter().try_for_each(|name| files::same(&up, &guest.dir().join(name)))?;
    guest.switch_off()?;
    let bytes = fs::read(&up)?;
    on_disk.iter().try_for_each(|name| guest.same_on_disk(name, &bytes))?;
    guest.finish()
}

fn with_curl(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    let at = url(&guest, "/drive_c/new/up.bin");
    curl(&guest, &["--ftp-create-dirs", "-T", "up.bin", &at])?;
    curl(&guest, &["-C", "-", "-o", "part.bin", &at])?;
    let grown = url(&guest, "/drive_c/new/grown.bin");
    curl(&guest, &["-T", "half.bin", &grown])?;
    curl(&guest, &["-C", "-", "-T", "up.bin", &grown])?;
    curl(&guest, &["-T", "half.bin", &url(&guest, "/drive_c/new/gone.bin")])?;
    let commands = [
        "RNFR /drive_c/new/up.bin",
        "RNTO /drive_c/new/moved.bin",
        "DELE /drive_c/new/gone.bin",
        "MKD /drive_c/gone",
    ];
    let quotes: Vec<&str> = commands.iter().flat_map(|command| ["-Q", command]).collect();
    curl(&guest, &[&quotes[..], &[&url(&guest, "/")]].concat())?;
    curl(&guest, &["-Q", "RMD /drive_c/gone", &url(&guest, "/")])?;
    let listed = curl(&guest, &[&url(&guest, "/drive_c/new/")])?;
    ensure!(listed.contains("MOVED.BIN") && listed.contains("1234567"), "it lists {listed:?}");
    ensure!(!listed.contains("GONE.BIN"), "it lists {listed:?}");
    finish(guest, &["part.bin"], &["/NEW/MOVED.BIN", "/NEW/GROWN.BIN"])
}

fn with_lftp(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    let commands = "cd /DRIVE_C; mkdir DIR; cd DIR; put up.bin -o UP.BIN; get UP.BIN -o down.bin; \
                    get -c UP.BIN -o part.bin; put half.bin -o GROWN.BIN; \
                    put -c up.bin -o GROWN.BIN; put up.bin -o GONE.BIN; rm GONE.BIN; \
                    mv UP.BIN MOVED.BIN; mkdir SUB; rmdir SUB; ls; cls";
    let listed = lftp(&guest, commands)?;
    ensure!(listed.contains("MOVED.BIN") && !listed.contains("GONE.BIN"), "it lists {listed:?}");
    finish(guest, &["down.bin", "part.bin"], &["/DIR/MOVED.BIN", "/DIR/GROWN.BIN"])
}

/// More long names than a session remembers at once, below directories that it must remember.
fn with_long_names(stage: &Stage, name: &str) -> Result<()> {
    let config = format!("{CONFIG}FTPSRV_LONG_NAMES shorten\r\n");
    let setup = Setup { config, ..Setup::with_disks(&[DISK])? };
    let guest = Guest::boot(stage, name, &setup, directories)?;
    let folder = guest.dir().join("A folder of today");
    for part in ["first directory", "second directory"] {
        let dir = folder.join(part);
        fs::create_dir_all(&dir)?;
        for n in 0..25 {
            let size = 1000 + 37 * n;
            files::make(&dir, &format!("a picture from 2026, {n}.jpeg"), size, size as u64)?;
        }
    }
    lftp(
        &guest,
        "cd /drive_c; mirror -R 'A folder of today' 'A folder of today'; \
         get 'A folder of today/second directory/a picture from 2026, 24.jpeg' -o again.jpeg; \
         mirror 'A folder of today' down",
    )?;
    let last = folder.join("second directory/a picture from 2026, 24.jpeg");
    files::same(&last, &guest.dir().join("again.jpeg"))?;
    // Each file came back from the directory that it was put into, under whatever name.
    let down = guest.dir().join("down");
    for (part, alias) in [("first directory", "FIRSTD~1"), ("second directory", "SECOND~1")] {
        let (up, down) = (contents(&folder.join(part))?, contents(&down.join(alias))?);
        ensure!(up == down, "{part}: {} files went, {} came back", up.len(), down.len());
    }
    guest.finish()
}

/// The contents of a directory's files, sorted.
fn contents(dir: &Path) -> Result<Vec<Vec<u8>>> {
    let read = |entry: std::io::Result<fs::DirEntry>| fs::read(entry?.path());
    let mut contents = fs::read_dir(dir)?.map(read).collect::<Result<Vec<_>, _>>()?;
    contents.sort();
    Ok(contents)
}

fn with_wget(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    curl(&guest, &["-T", "up.bin", &url(&guest, "/drive_c/pub/up.bin")])?;
    let login = [format!("--user={USER}"), format!("--password={PASSWORD}")];
    let get = |options: &[&str]| {
        let common = ["-nv", "-T", "20", "-t", "1"];
        client(&guest, "wget")?
            .args(common.iter().chain(options).copied())
            .args(login.clone())
            .args([url(&guest, "/drive_c/pub/up.bin")])
            .run()
    };
    get(&["-O", "down.bin"])?;
    get(&["--no-passive-ftp", "-O", "active.bin"])?;
    fs::create_dir(guest.dir().join("resumed"))?;
    fs::copy(guest.dir().join("part.bin"), guest.dir().join("resumed/up.bin"))?;
    get(&["-c", "-P", "resumed"])?;
    // Recursively it must read listings.
    let mirror = ["-nv", "-m", "-nH", "--cut-dirs=1", "-P", "mirror", "-T", "20", "-t", "1"];
    let top = url(&guest, "/drive_c/");
    client(&guest, "wget")?.args(mirror).args(login.clone()).args([top]).run()?;
    files::same(&guest.dir().join("up.bin"), &guest.dir().join("mirror/PUB/UP.BIN"))?;
    finish(guest, &["down.bin", "active.bin", "resumed/up.bin"], &["/PUB/UP.BIN"])
}

fn with_ncftp(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    let port = guest.port.to_string();
    let login = ["-u", USER, "-p", PASSWORD, "-P", &port];
    let run = |program: &str, rest: &[&str]| {
        client(&guest, program)?.args(login.iter().chain(rest).copied()).run()
    };
    run("ncftpput", &["-m", "127.0.0.1", "/drive_c/new", "up.bin"])?;
    let listed = run("ncftpls", &["-l", "ftp://127.0.0.1/drive_c/new/"])?;
    ensure!(listed.to_uppercase().contains("UP.BIN"), "it lists {listed:?}");
    fs::create_dir(guest.dir().join("down"))?;
    run("ncftpget", &["127.0.0.1", "down", "/drive_c/new/UP.BIN"])?;
    fs::create_dir(guest.dir().join("resumed"))?;
    fs::copy(guest.dir().join("part.bin"), guest.dir().join("resumed/UP.BIN"))?;
    run("ncftpget", &["-z", "127.0.0.1", "resumed", "/drive_c/new/UP.BIN"])?;
    // A shell that asks nothing when its input is a file.
    let commands = "cd /drive_c/new\nrename UP.BIN moved.bin\nput half.bin\nrm HALF.BIN\nmkdir sub\n\
                    mkdir gone\nrmdir gone\nls -l\nquit\n";
    let shell = client(&guest, "ncftp")?.args(login).args(["127.0.0.1"]).input(commands);
    let listed = shell.run()?.to_uppercase();
    ensure!(listed.contains("MOVED.BIN") && listed.contains("SUB"), "it lists {listed:?}");
    let listed = run("ncftpls", &["-l", "ftp://127.0.0.1/drive_c/new/"])?.to_uppercase();
    ensure!(!listed.contains("HALF.BIN") && !listed.contains("GONE"), "it lists {listed:?}");
    finish(guest, &["down/UP.BIN", "resumed/UP.BIN"], &["/NEW/MOVED.BIN"])
}

fn with_tnftp(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    let port = guest.port.to_string();
    let commands = format!(
        "user {USER} {PASSWORD}\nbinary\ncd /drive_c\nmkdir dir\ncd dir\nput up.bin\nls\n\
         get up.bin down.bin\nreget up.bin part.bin\nput half.bin grown.bin\nrestart {HALF}\n\
         put up.bin grown.bin\nrename up.bin moved.bin\nput up.bin gone.bin\n\
         delete gone.bin\nmkdir sub\nrmdir sub\nquit\n"
    );
    let client = client(&guest, "tnftp")?.args(["-n", "-v", "127.0.0.1", &port]);
    let listed = client.input(&commands).run()?;
    ensure!(listed.contains("UP.BIN"), "it lists {listed:?}");
    finish(guest, &["down.bin", "part.bin"], &["/DIR/MOVED.BIN", "/DIR/GROWN.BIN"])
}

fn with_inetutils(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    let commands = format!(
        "open 127.0.0.1 {}\nuser {USER} {PASSWORD}\nbinary\npassive\ncd /drive_c\nmkdir dir\n\
         cd dir\nput up.bin\nls\nget up.bin down.bin\nreget up.bin part.bin\n\
         put half.bin grown.bin\nrestart {HALF}\nput up.bin grown.bin\n\
         rename up.bin moved.bin\nput up.bin gone.bin\ndelete gone.bin\nmkdir sub\nrmdir sub\nquit\n",
        guest.port
    );
    let client = client(&guest, "inetutils-ftp")?.args(["-n", "-v"]);
    let listed = client.input(&commands).run()?;
    ensure!(listed.contains("UP.BIN"), "it lists {listed:?}");
    finish(guest, &["down.bin", "part.bin"], &["/DIR/MOVED.BIN", "/DIR/GROWN.BIN"])
}

fn with_rclone(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    let secret = client(&guest, "rclone")?.args(["obscure", PASSWORD]).run()?;
    let secret = secret.lines().last().unwrap_or_default().trim().to_owned();
    let remote = format!(":ftp,host=127.0.0.1,port={},user={USER},pass=\"{secret}\":", guest.port);
    let run = |words: &[&str]| {
        let words = words.iter().map(|word| word.replace('@', &remote));
        client(&guest, "rclone")?.args(words).args(["--retries", "1", "--timeout", "30s"]).run()
    };
    run(&["mkdir", "@drive_c/DIR"])?;
    run(&["copyto", "up.bin", "@drive_c/DIR/UP.BIN"])?;
    let listed = run(&["lsl", "@drive_c/DIR"])?;
    ensure!(listed.contains("1234567"), "it lists {listed:?}");
    run(&["copyto", "@drive_c/DIR/UP.BIN", "down.bin"])?;
    run(&["moveto", "@drive_c/DIR/UP.BIN", "@drive_c/DIR/MOVED.BIN"])?;
    run(&["copyto", "up.bin", "@drive_c/DIR/GONE.BIN"])?;
    run(&["deletefile", "@drive_c/DIR/GONE.BIN"])?;
    run(&["mkdir", "@drive_c/SUB"])?;
    run(&["rmdir", "@drive_c/SUB"])?;
    finish(guest, &["down.bin"], &["/DIR/MOVED.BIN"])
}

fn with_ftplib(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    python(&guest, "session.py", &["/drive_c"])?;
    curl(&guest, &["-T", "up.bin", &url(&guest, "/drive_c/up.bin")])?;
    finish(guest, &[], &["/UP.BIN"])
}

/// What the scripts of the registries' clients leave behind.
const SCRIPTED: [&str; 2] = ["/DIR/MOVED.BIN", "/DIR/GROWN.BIN"];

fn with_twisted(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    twisted(&guest)?;
    finish(guest, &["down.bin", "part.bin", "active.bin"], &SCRIPTED)
}

fn with_basic_ftp(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    files::make_many(&guest.dir().join("many"), 25)?;
    basic_ftp(&guest)?;
    files::same_directory(&guest.dir().join("many"), &guest.dir().join("back"))?;
    finish(guest, &["down.bin", "part.bin"], &SCRIPTED)
}

fn with_suppaftp(stage: &Stage, name: &str) -> Result<()> {
    let guest = boot(stage, name)?;
    suppaftp(&guest)?;
    finish(guest, &["down.bin", "part.bin", "active.bin", "epsv.bin"], &SCRIPTED)
}
