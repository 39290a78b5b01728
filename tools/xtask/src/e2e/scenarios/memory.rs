//! Little memory: what each amount of it serves, and how deep the stack goes.

use anyhow::{Result, ensure};

use super::super::clients::{lftp, python};
use super::super::guest::{Guest, Setup};
use super::super::{Scenario, Stage};
use super::{DISK, directories};

pub fn all() -> Vec<Scenario> {
    let cases = [
        ("1 MB serves 1 client", 1, 1, "FTPSRV_CLIENTS 1", 4),
        ("2 MB serve 3 clients", 2, 3, "FTPSRV_CLIENTS 3", 8),
        ("4 MB serve 10 clients with 16 KB buffers", 4, 10, "FTPSRV_CLIENTS 10", 16),
    ];
    let scenario = |(name, megabytes, clients, line, buffers)| {
        Scenario::new(name, move |stage: &Stage, name: &str| {
            serves(stage, name, megabytes, clients, line, buffers)
        })
    };
    cases.into_iter().map(scenario).collect()
}

/// As many clients as there may be transfer at once; then one goes through what takes most stack.
fn serves(
    stage: &Stage,
    name: &str,
    memory_mb: u32,
    clients: u32,
    line: &str,
    buffers: u32,
) -> Result<()> {
    let config = format!(
        "HOSTNAME ftpsrv\r\nFTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r\nFTPSRV_LONG_NAMES shorten\r\n{line}\r\n\
         FTPSRV_FILEBUFFER_SIZE {buffers}\r\nFTPSRV_TCPBUFFER_SIZE {buffers}\r\n"
    );
    let setup = Setup { memory_mb, config, ..Setup::with_disks(&[DISK])? };
    let guest = Guest::boot(stage, name, &setup, directories)?;
    python(&guest, "parallel.py", &["/drive_c", &clients.to_string()])?;
    lftp(
        &guest,
        "cd drive_c; mkdir a; mkdir a/b; mv C0T0.BIN a/b/a_rather_long_name.bin; cls -l a/b; \
         quote SITE STATS; quote HASH C0T1.BIN; mrm *.BIN; rm -r a",
    )?;
    let used = guest.stack_used(&stage.kernel)?;
    let whole = stage.kernel.stack.len();
    println!("        {used} of {whole} bytes of stack used");
    ensure!(used <= whole / 5 * 4, "{used} of {whole} bytes of stack used");
    guest.finish()
}
