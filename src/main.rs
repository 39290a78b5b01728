//! The kernel's entry.
#![no_std]
#![no_main]
