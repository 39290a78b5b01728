//! A PC made of software: memory, disks that can be cut, a network with the host's own TCP/IP on its
//! other end, models of chips. The tests in tests/ run the real server on it.

pub mod ata_disks;
pub mod chips;
pub mod client;
pub mod disk;
pub mod fat_image;
pub mod fat_model;
pub mod fat_tables;
pub mod memory;
pub mod memory_provider;
pub mod network;
pub mod pc;
pub mod promises;
pub mod rig;
pub mod scripted_link;
