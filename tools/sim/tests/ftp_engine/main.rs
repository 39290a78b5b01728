//! The protocol engine on scripted links and files in memory: every command as bytes in and bytes out.

mod attackers;
mod bench;
mod commands;
mod files;
mod long_names;
mod meanwhile;
mod promises;
mod transfers;
