//! HASH (draft-ietf-ftpext2-hash) and the older XCRC, XMD5, XSHA1, XSHA256.

use super::connect::decimal;
use crate::ftp::client::{Client, Context};
use crate::ftp::reply::Refusal;
use crate::ftp::scan::{Algorithm, Scan};
use crate::ftp::transfer::Job;

/// HASH: of a whole file, by the algorithm that OPTS HASH chose.
pub fn hash(client: &mut Client, _: &mut Context<'_, '_>, name: &[u8]) -> Result<(), Refusal> {
    client.name(name)?;
    client.job = Some(Job::Scan(Scan::hash(client.algorithm)));
    Ok(())
}

/// XCRC.
pub fn xcrc(client: &mut Client, _: &mut Context<'_, '_>, text: &[u8]) -> Result<(), Refusal> {
    bare(client, Algorithm::Crc32, text)
}

/// XMD5.
pub fn xmd5(client: &mut Client, _: &mut Context<'_, '_>, text: &[u8]) -> Result<(), Refusal> {
    bare(client, Algorithm::Md5, text)
}

/// XSHA1.
pub fn xsha1(client: &mut Client, _: &mut Context<'_, '_>, text: &[u8]) -> Result<(), Refusal> {
    bare(client, Algorithm::Sha1, text)
}

/// XSHA256.
pub fn xsha256(client: &mut Client, _: &mut Context<'_, '_>, text: &[u8]) -> Result<(), Refusal> {
    bare(client, Algorithm::Sha256, text)
}

/// `name [start [end]]`, the name perhaps in quotes. No 8.3 name has spaces or quotes.
fn bare(client: &mut Client, algorithm: Algorithm, argument: &[u8]) -> Result<(), Refusal> {
    let mut words = argument.split(|&b| b == b' ');
    let name = words.next().unwrap_or_default();
    let name = name.strip_prefix(b"\"").and_then(|n| n.strip_suffix(b"\"")).unwrap_or(name);
    let mut number = |default| match words.next() {
        Some(word) => decimal(word).ok_or(Refusal::SYNTAX),
        None => Ok(default),
    };
    let (start, end) = (number(0)?, number(u32::MAX)?);
    if words.next().is_some() || start > end {
        return Err(Refusal::SYNTAX);
    }
    client.name(name)?;
    client.job = Some(Job::Scan(Scan::bare(algorithm, start, end)));
    Ok(())
}
