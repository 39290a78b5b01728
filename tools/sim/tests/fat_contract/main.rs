//! The contract of [`Provider`], kept by the tree in memory and by FAT12, FAT16 and FAT32 alike.
//!
//! The table goes through the text that the trait's meaning comes from, an SSH server's native file-system
//! provider, promise by promise. In the second column is the check of this test that shows it on every
//! provider, or another test (its file and name), or `none:` with the reason why files on FAT have no such
//! thing. [`every_promise_has_its_check_or_its_reason`] holds table and checks together.
//!
//! # Paths
//!
//! | promise | shown by |
//! |---|---|
//! | Names are divided by slashes; one that begins with a slash starts at the root, any other at the working directory | src/vfs/path_tests.rs parts_slashes_and_dots_lead_where_users_expect |
//! | The other system's way to write a path (`C:\DIR`) is not supported; a backslash is a slash here, for clients of DOS | src/vfs/path_tests.rs what_is_no_name_is_refused_whole |
//! | `.` is the directory, `..` the one above, the empty path the directory too | paths::the_real_path_is_absolute_and_what_is_not_there_is_not_found |
//! | No `..` leads out of the part that a user may see | src/vfs/path_tests.rs no_walk_leads_out_of_a_sandbox |
//! | Paths that come out have the same form | src/vfs/path_tests.rs the_wire_gets_the_disks_bytes_and_messages_do_not |
//! | Roots are directories like others, and stay | paths::roots_are_directories_that_stay |
//! | A path whose directory is not there is not found, by any call; a file is no directory | paths::where_there_is_no_directory_nothing_is_found_or_made |
//!
//! # Open flags
//!
//! | promise | shown by |
//! |---|---|
//! | OPEN_READ opens for reading | opening::read_opens_for_reading_alone |
//! | OPEN_WRITE opens for writing | opening::write_opens_for_writing_and_the_rest_stays |
//! | OPEN_APPEND: all writes go to the end | opening::append_goes_to_the_end_whatever_the_offset |
//! | OPEN_CREATE: a file is made if there is none | opening::create_makes_a_file_that_is_not_there |
//! | OPEN_TRUNCATE: a file that is there is cut to nothing | opening::truncate_cuts_a_file_that_is_there |
//! | OPEN_EXCLUSIVE: fails if the file exists | opening::exclusive_fails_where_there_is_something |
//! | OPEN_EXCLUSIVE needs OPEN_CREATE; nor do other flags stand alone | opening::flags_that_make_no_sense_are_refused |
//!
//! # The calls, in the text's order
//!
//! | promise | shown by |
//! |---|---|
//! | init: a file system for each session, perhaps without one | none: all sessions share one `Drives`, made at the start; what is a session's own (working directory, sandbox) is kept by the session |
//! | init: the protocol in use | none: there is but one |
//! | closeFilesystem: no further use is required | transfer::at_the_end_everything_is_brought_to_the_disk |
//! | fileExists: whether it exists | attributes::whether_a_file_exists_is_told_in_any_case |
//! | getRealPath: the full path, relative ones expanded; not found where there is nothing | paths::the_real_path_is_absolute_and_what_is_not_there_is_not_found |
//! | makeDirectory says when file or directory exists already; not found without the directory above | directories::make_dir_says_that_it_exists |
//! | makeDirectory, and others: PermissionDenied for a user who may not | tools/sim/tests/ftp_engine/promises.rs each_command_needs_its_permission |
//! | getFileAttributes by path: all that can be determined; by handle | attributes::attributes_by_path_and_by_handle_are_the_same |
//! | getFileAttributes: of directories, too | attributes::directories_have_attributes_too |
//! | getFileAttributes: owner, group, Unix permissions, time of access | none: FAT has none of them but the read-only bit; its date of last access has no time |
//! | openDirectory gives a handle; what is no directory is refused | directories::what_is_no_directory_is_not_listed |
//! | Handles of at most 256 bytes | none: they are two bytes, by their type |
//! | readDirectory: one file or more each call until the end; the end at once if there are none; names alone | directories::a_directory_is_read_to_its_end |
//! | readDirectory: with full attributes | attributes::listings_give_the_same_attributes |
//! | readDirectory, closeFile: InvalidHandle | directories::handles_of_directories_are_checked |
//! | openFile: the modes of its flags | opening::write_opens_for_writing_and_the_rest_stays |
//! | openFile: PermissionDenied for a read-only file | opening::a_read_only_file_is_not_opened_for_writing |
//! | openFile: with attributes for a new file | none: a new file's are set by its handle, or by its path |
//! | openFile: two users of one file (the text says nothing) | opening::a_file_that_is_written_belongs_to_its_writer |
//! | openFile: more files than there are handles for (the text says nothing) | opening::without_a_free_handle_nothing_is_opened_or_made |
//! | readFile: from the offset, at most as much as is asked for, the count; the end when it is passed | transfer::reading_starts_at_the_offset_and_ends_with_the_file |
//! | readFile, writeFile, closeFile, attributes: InvalidHandle | opening::handles_are_checked |
//! | writeFile: from the offset, all that is given (by slices: as much as it says) | transfer::writing_starts_at_the_offset_and_leaves_the_rest |
//! | writeFile: at any offset | transfer::files_have_no_holes |
//! | writeFile: 64 bits of offset; files on FAT end at 4 GB - 1 | tools/sim/tests/fat_media.rs a_file_ends_at_four_gigabytes |
//! | writeFile and readFile: what is read is what was written | transfer::pieces_of_any_size_come_back |
//! | closeFile: the file is closed, and whole | transfer::what_is_written_is_there_after_close |
//! | removeFile; not found where there is none | transfer::removing_takes_files_alone |
//! | renameFile: a file, or a directory, in its directory or to another | directories::rename_renames_and_moves |
//! | renameFile: an error if the new name exists | directories::rename_refuses_a_target_that_exists |
//! | removeDirectory fails if there is anything in it | directories::remove_dir_takes_empty_directories_alone |
//! | setFileAttributes by path: time and read-only | attributes::time_and_read_only_are_set_by_path |
//! | setFileAttributes by handle | attributes::time_and_read_only_are_set_by_handle |
//! | setFileAttributes: size | none: no command of FTP cuts a file to a length; truncate cuts it to nothing |
//! | The time of the last change is that of the last writing | attributes::each_writing_sets_the_time |
//! | readSymbolicLink, createSymbolicLink: unsupported where the file system has none | paths::links_are_unsupported |
//! | getDefaultPath: the user's own directory; not found if it is not there | paths::the_default_path_is_the_users_root |
//! | AUTHORIZED_KEYS_STORE, SFTP, SCP | none: names of SSH's protocols |
//! | Room on the disk (the text has no call for it) | paths::space_is_that_of_the_drive |

mod attributes;
mod directories;
mod opening;
mod paths;
mod transfer;

use std::sync::OnceLock;

use bumpalo::Bump;
use ftpsrv::block::DiskKind;
use ftpsrv::time::DateTime;
use ftpsrv::vfs::provider::{FileHandle, OpenFlags};
use ftpsrv::vfs::{Drives, DrivesSize, FsError, Provider};
use sim::disk::{Medium, SimDisk, SimDisks};
use sim::fat_image::{fsck, mkfs};
use sim::memory_provider::MemoryProvider;
use sim::promises::{Shown, expect_test, table};
use sim::rig::{Arena, finish, list, path};

const NOW: DateTime = DateTime { year: 1994, month: 5, day: 6, hour: 7, minute: 8, second: 10 };

fn open(files: &mut dyn Provider, name: &str, flags: OpenFlags) -> Result<FileHandle, FsError> {
    let place = path(name);
    finish(|| files.open(&place, flags))
}

/// Writes all of `data`, however little each call takes.
fn write(files: &mut dyn Provider, file: FileHandle, offset: usize, data: &[u8]) {
    let mut done = 0;
    while done < data.len() {
        let at = (offset + done) as u32;
        let count = finish(|| files.write(file, at, &data[done..])).unwrap();
        assert!((1..=data.len() - done).contains(&count));
        done += count;
    }
}

fn close(files: &mut dyn Provider, file: FileHandle) -> Result<(), FsError> {
    finish(|| files.close(file))
}

/// Each check begins and ends with an empty drive C.
fn in_memory(patience: u32, check: fn(&mut MemoryProvider)) {
    let mut files = MemoryProvider::new();
    files.patience = patience;
    files.set_time(NOW);
    check(&mut files);
    assert!(list(&mut files, "/drive_c").unwrap().is_empty(), "it cleans up");
    assert_eq!(files.handles(), 0);
}

/// The same on a volume made by mkfs.fat, with little and with more memory; fsck.fat finds nothing then.
fn on_fat(bits: &'static str, check: fn(&mut Drives<'_>)) {
    static EMPTY: [OnceLock<Medium>; 3] = [const { OnceLock::new() }; 3];
    let (number, sectors, cluster) = match bits {
        "12" => (0, 2880, "1"),
        "16" => (1, 9000, "2"),
        _ => (2, 70_000, "1"),
    };
    let medium = EMPTY[number].get_or_init(|| mkfs(sectors, &["-F", bits, "-s", cluster]));
    for kilobytes in [6, 12, 32] {
        let disks = SimDisks::new(vec![SimDisk::new(DiskKind::Hard, Some(medium.clone()))]);
        let (bump, mut handle) = (Bump::new(), disks.clone());
        let size = DrivesSize::of(kilobytes * 1024);
        let mut drives = Drives::new(&mut handle, &mut Arena(&bump), size).unwrap();
        drives.set_time(NOW);
        check(&mut drives);
        assert!(list(&mut drives, "/drive_c").unwrap().is_empty(), "it cleans up");
        drives.flush().unwrap();
        assert_eq!(fsck(&disks.medium(0)), [""; 0]);
    }
}

/// Makes a test of each check for each provider.
macro_rules! contract {
    ($($part:ident: $($check:ident),+;)+) => {
        const CHECKS: &[&str] = &[$($(concat!(stringify!($part), "::", stringify!($check))),+),+];

        contract!(memory, in_memory(0), $($($part $check)+)+);
        contract!(slow_memory, in_memory(3), $($($part $check)+)+);
        contract!(fat12, on_fat("12"), $($($part $check)+)+);
        contract!(fat16, on_fat("16"), $($($part $check)+)+);
        contract!(fat32, on_fat("32"), $($($part $check)+)+);
    };
    ($provider:ident, $run:ident($how:expr), $($part:ident $check:ident)+) => {
        mod $provider {
            $(#[test]
            fn $check() {
                crate::$run($how, |files| crate::$part::$check(files));
            })+
        }
    };
}

contract! {
    paths:
        roots_are_directories_that_stay,
        where_there_is_no_directory_nothing_is_found_or_made,
        the_real_path_is_absolute_and_what_is_not_there_is_not_found,
        the_default_path_is_the_users_root,
        space_is_that_of_the_drive,
        links_are_unsupported;
    opening:
        flags_that_make_no_sense_are_refused,
        read_opens_for_reading_alone,
        write_opens_for_writing_and_the_rest_stays,
        append_goes_to_the_end_whatever_the_offset,
        create_makes_a_file_that_is_not_there,
        truncate_cuts_a_file_that_is_there,
        exclusive_fails_where_there_is_something,
        a_read_only_file_is_not_opened_for_writing,
        handles_are_checked,
        without_a_free_handle_nothing_is_opened_or_made,
        a_file_that_is_written_belongs_to_its_writer;
    transfer:
        pieces_of_any_size_come_back,
        reading_starts_at_the_offset_and_ends_with_the_file,
        writing_starts_at_the_offset_and_leaves_the_rest,
        files_have_no_holes,
        what_is_written_is_there_after_close,
        at_the_end_everything_is_brought_to_the_disk,
        removing_takes_files_alone;
    attributes:
        attributes_by_path_and_by_handle_are_the_same,
        whether_a_file_exists_is_told_in_any_case,
        time_and_read_only_are_set_by_path,
        directories_have_attributes_too,
        time_and_read_only_are_set_by_handle,
        each_writing_sets_the_time,
        listings_give_the_same_attributes;
    directories:
        a_directory_is_read_to_its_end,
        what_is_no_directory_is_not_listed,
        handles_of_directories_are_checked,
        make_dir_says_that_it_exists,
        remove_dir_takes_empty_directories_alone,
        rename_refuses_a_target_that_exists,
        rename_renames_and_moves;
}

#[test]
fn every_promise_has_its_check_or_its_reason() {
    let mut unnamed: Vec<&str> = CHECKS.to_vec();
    for (promise, shown) in table(include_str!("main.rs")) {
        match shown {
            Shown::Test(file, name) => expect_test(file, name),
            Shown::Check(name) => {
                assert!(CHECKS.contains(&name), "{promise}: there is no check {name}");
                unnamed.retain(|check| *check != name);
            }
            Shown::Reason(reason) => assert!(reason.len() > 10, "{promise}: {reason}"),
        }
    }
    assert!(unnamed.is_empty(), "in no row of the table: {unnamed:?}");
}
