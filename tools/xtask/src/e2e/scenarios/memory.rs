//! Little memory: what each amount of it serves, and how deep the stack goes.

use anyhow::{Result, ensure};

use super::super::clients::{lftp, python};
use super::super::guest::{Guest, Setup};
use super::super::{Scenario, Stage};
use super::{DISK, directories};
use crate::gate::{Need, ONE_CLIENT, TEN_CLIENTS};

/// What is served from how much memory.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    memory_mb: u32,
    /// KB of conventional memory, of fewer than there are.
    conventional_kb: Option<u16>,
    clients: u32,
    /// FTPSRV_FILEBUFFER_SIZE and FTPSRV_TCPBUFFER_SIZE.
    buffers: u32,
}

pub fn all() -> Vec<Scenario> {
    let case = |name, memory_mb, clients, buffers| Case {
        name,
        memory_mb,
        conventional_kb: None,
        clients,
        buffers,
    };
    let least = |name, need: Need| Case {
        name,
        memory_mb: 1,
        conventional_kb: Some(need.kilobytes),
        clients: need.clients,
        buffers: need.buffers,
    };
    let cases = [
        case("1 MB serves 1 client", 1, 1, 4),
        case("2 MB serve 3 clients", 2, 3, 8),
        case("4 MB serve 10 clients with 16 KB buffers", 4, 10, 16),
        least("the least memory serves 1 client", ONE_CLIENT),
        least("the least memory serves 10 clients", TEN_CLIENTS),
    ];
    let scenario = |case: Case| {
        Scenario::new(case.name, move |stage: &Stage, name: &str| serves(stage, name, case))
    };
    cases.into_iter().map(scenario).collect()
}

/// As many clients as there may be transfer at once; then one goes through what takes most stack.
fn serves(stage: &Stage, name: &str, case: Case) -> Result<()> {
    let Case { memory_mb, conventional_kb, clients, buffers, .. } = case;
    let config = format!(
        "HOSTNAME ftpsrv\r\nFTPSRV_PASSWORD_FILE A:\\FTPPASS.TXT\r\nFTPSRV_LONG_NAMES shorten\r\n\
         FTPSRV_CLIENTS {clients}\r\n\
         FTPSRV_FILEBUFFER_SIZE {buffers}\r\nFTPSRV_TCPBUFFER_SIZE {buffers}\r\n"
    );
    let setup = Setup { memory_mb, conventional_kb, config, ..Setup::with_disks(&[DISK])? };
    let guest = Guest::boot(stage, name, &setup, directories)?;
    let bytes = if conventional_kb.is_some() { "200000" } else { "1000000" };
    python(&guest, "parallel.py", &["/drive_c", &clients.to_string(), bytes])?;
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
