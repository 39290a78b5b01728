//! How data travels: PASV, EPSV, PORT, EPRT (RFC 959, RFC 2428), TYPE, MODE, STRU.
//!
//! A data connection goes to the client's own address and nowhere else (RFC 2577: the bounce attack).

use core::net::{Ipv4Addr, SocketAddrV4};

use crate::ftp::client::{Client, Context, DataPlan};
use crate::ftp::link::{DataState, LinkError};
use crate::ftp::reply::{Line, Refusal};
use crate::ftp::transfer::LINGER;

/// Passive ports that one PASV tries.
const PORTS_TRIED: usize = 10;

const ONLY_EPSV: Refusal = Refusal::Reply(&(501, "Only EPSV is allowed after EPSV ALL"));

/// PASV.
pub fn pasv(client: &mut Client, cx: &mut Context<'_, '_>, _: &[u8]) -> Result<(), Refusal> {
    if client.extended_only {
        return Err(ONLY_EPSV);
    }
    let port = listen(client, cx)?;
    let [a, b, c, d] = passive_address(client, cx).octets();
    let [high, low] = port.to_be_bytes();
    let mut line = Line::new();
    line.reply(227).text("Entering Passive Mode (");
    for number in [a, b, c, d, high] {
        line.number(number.into()).text(",");
    }
    line.number(low.into()).text(")").send(cx.control);
    Ok(())
}

/// EPSV: the port alone, on the control connection's address.
pub fn epsv(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    if argument.eq_ignore_ascii_case(b"ALL") {
        client.extended_only = true;
        cx.reply(200, "EPSV ALL: only EPSV from now on");
        return Ok(());
    }
    if !matches!(argument, b"" | b"1") {
        return Err(OTHER_PROTOCOL);
    }
    let port = listen(client, cx)?;
    Line::new()
        .reply(229)
        .text("Entering Extended Passive Mode (|||")
        .number(port.into())
        .text("|)")
        .send(cx.control);
    Ok(())
}

const OTHER_PROTOCOL: Refusal = Refusal::Reply(&(522, "Network protocol not supported, use (1)"));

/// What PASV tells the client: our own address, or the one that a firewall shows to the outside
/// (FTPSRV_EXT_IPADDR) where the client comes from there.
fn passive_address(client: &Client, cx: &Context<'_, '_>) -> Ipv4Addr {
    let settings = cx.shared.settings;
    match settings.external_address {
        Some(external) if settings.nat || !cx.shared.network.is_local(client.address()) => external,
        _ => *cx.control.local().ip(),
    }
}

/// Listens on the next passive port, for this client alone.
fn listen(client: &mut Client, cx: &mut Context<'_, '_>) -> Result<u16, Refusal> {
    make_room(client, cx)?;
    // A port may still be held by the last connection that another client had there.
    for _ in 0..PORTS_TRIED {
        let Some(port) = cx.shared.ports.take(client.slot) else { break };
        match cx.data.listen(port, client.address()) {
            Ok(()) => {
                client.plan = DataPlan::Passive;
                return Ok(port);
            }
            Err(LinkError::Again) => return Err(Refusal::Wait),
            Err(LinkError::Unusable) => cx.shared.ports.release(client.slot),
        }
    }
    Err(Refusal::Reply(&(425, "No port for a data connection now, please try again")))
}

/// Waits for the end of the last data connection, or makes one.
fn make_room(client: &mut Client, cx: &mut Context<'_, '_>) -> Result<(), Refusal> {
    client.plan = DataPlan::None;
    match cx.data.state() {
        DataState::Idle => return Ok(()),
        DataState::Closing if cx.now.since(client.command_since) < LINGER => {}
        _ => cx.data.abort(),
    }
    match cx.data.state() {
        DataState::Idle => Ok(()),
        _ => Err(Refusal::Wait),
    }
}

/// PORT.
pub fn port(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    if client.extended_only {
        return Err(ONLY_EPSV);
    }
    let [a, b, c, d, high, low] = bytes(argument, b',').ok_or(Refusal::SYNTAX)?;
    plan_active(client, cx, Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))?;
    cx.reply(200, "PORT command successful");
    Ok(())
}

/// EPRT: `|1|132.235.1.2|6275|` with any delimiter.
pub fn eprt(client: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    if client.extended_only {
        return Err(ONLY_EPSV);
    }
    let delimiter = *argument.first().ok_or(Refusal::SYNTAX)?;
    let mut parts = argument.split(|&b| b == delimiter).skip(1);
    let mut next = || parts.next().ok_or(Refusal::SYNTAX);
    let (protocol, address, port, end) = (next()?, next()?, next()?, next()?);
    if protocol != b"1" {
        return Err(OTHER_PROTOCOL);
    }
    let address = Ipv4Addr::from(bytes::<4>(address, b'.').ok_or(Refusal::SYNTAX)?);
    let port = decimal(port).and_then(|n| u16::try_from(n).ok()).ok_or(Refusal::SYNTAX)?;
    if !end.is_empty() || parts.next().is_some() {
        return Err(Refusal::SYNTAX);
    }
    plan_active(client, cx, address, port)?;
    cx.reply(200, "EPRT command successful");
    Ok(())
}

/// Plans a connection to the client; with FTPSRV_NAT the address that it names is that of a network
/// which we do not see.
fn plan_active(
    client: &mut Client,
    cx: &mut Context<'_, '_>,
    address: Ipv4Addr,
    port: u16,
) -> Result<(), Refusal> {
    if address != client.address() && !cx.shared.settings.nat {
        return Err(Refusal::Reply(&(500, "Data connections go to your own address only")));
    }
    if port < 1024 {
        return Err(Refusal::Reply(&(504, "Data connections go to ports of 1024 and above only")));
    }
    client.drop_data(cx);
    client.plan = DataPlan::Active(SocketAddrV4::new(client.address(), port));
    Ok(())
}

/// Exactly `N` numbers up to 255, divided by `delimiter`.
fn bytes<const N: usize>(text: &[u8], delimiter: u8) -> Option<[u8; N]> {
    let mut numbers = [0u8; N];
    let mut parts = text.split(|&b| b == delimiter);
    for number in &mut numbers {
        *number = u8::try_from(decimal(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// A decimal number without sign, up to 4 billion.
pub(super) fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// TYPE: A and I; L 8 is I on a machine of 8-bit bytes (RFC 959 section 3.1.1.4).
pub fn data_type(
    client: &mut Client,
    cx: &mut Context<'_, '_>,
    argument: &[u8],
) -> Result<(), Refusal> {
    let mut upper = [0u8; 3];
    let given = upper.get_mut(..argument.len()).ok_or(Refusal::SYNTAX)?;
    given.copy_from_slice(argument);
    given.make_ascii_uppercase();
    client.ascii = match &*given {
        b"A" | b"A N" => true,
        b"I" | b"L 8" | b"L8" => false,
        _ => return Err(Refusal::Reply(&(504, "Only the types A and I are supported"))),
    };
    cx.reply(200, if client.ascii { "Type set to A" } else { "Type set to I" });
    Ok(())
}

/// MODE: stream only.
pub fn mode(_: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    expect(cx, argument, b"S", "Mode set to S", &(504, "Only mode S (stream) is supported"))
}

/// STRU: file only.
pub fn stru(_: &mut Client, cx: &mut Context<'_, '_>, argument: &[u8]) -> Result<(), Refusal> {
    expect(cx, argument, b"F", "Structure set to F", &(504, "Only structure F (file) is supported"))
}

fn expect(
    cx: &mut Context<'_, '_>,
    argument: &[u8],
    only: &[u8],
    done: &str,
    refused: &'static (u16, &'static str),
) -> Result<(), Refusal> {
    if !argument.eq_ignore_ascii_case(only) {
        return Err(Refusal::Reply(refused));
    }
    cx.reply(200, done);
    Ok(())
}
