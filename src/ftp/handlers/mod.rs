//! What each command does. A handler replies, or starts a transfer or a longer reply; it makes at most
//! one call of the files, so that it can be run again when that says `Again`.

pub mod connect;
pub mod files;
pub mod hash;
pub mod info;
pub mod login;
pub mod navigate;
pub mod site;
pub mod transfers;
