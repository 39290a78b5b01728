//! Tests of paths, and of sandboxes: that no text leads out of one.
extern crate std;

use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::vfs::Sandbox;

fn path(text: &[u8]) -> UserPath {
    UserPath::root().join(text).unwrap()
}

#[test]
fn parts_slashes_and_dots_lead_where_users_expect() {
    let here = path(b"/drive_c/ftp");
    for (text, expected) in [
        (&b""[..], "/DRIVE_C/FTP"),
        (b".", "/DRIVE_C/FTP"),
        (b"pub", "/DRIVE_C/FTP/PUB"),
        (b"pub/", "/DRIVE_C/FTP/PUB"),
        (b"pub\\x.txt", "/DRIVE_C/FTP/PUB/X.TXT"),
        (b"./a//b/./c", "/DRIVE_C/FTP/A/B/C"),
        (b"..", "/DRIVE_C"),
        (b"../../..", "/"),
        (b"../../../x", "/X"),
        (b"a/../b", "/DRIVE_C/FTP/B"),
        (b"/", "/"),
        (b"\\", "/"),
        (b"//x", "/X"),
        (b"/drive_d/", "/DRIVE_D"),
        (b"README.", "/DRIVE_C/FTP/README"),
    ] {
        assert_eq!(format!("{}", here.join(text).unwrap()), expected, "{text:?}");
    }
}

#[test]
fn what_is_no_name_is_refused_whole() {
    for (text, error) in [
        (&b"c:"[..], NameError::InvalidCharacter),
        (b"c:\\", NameError::InvalidCharacter),
        (b"/c:/x", NameError::InvalidCharacter),
        (b"a b", NameError::InvalidCharacter),
        (b"x ", NameError::InvalidCharacter),
        (b" x", NameError::InvalidCharacter),
        (b".. ", NameError::InvalidCharacter),
        (b"..\0", NameError::InvalidCharacter),
        (b"*", NameError::InvalidCharacter),
        (b"...", NameError::Empty),
        (b"x..", NameError::NotEightDotThree),
        (b".x", NameError::Empty),
        (b"con", NameError::Device),
        (b"pub/nul.txt", NameError::Device),
        (b"COM1", NameError::Device),
        (b"prn.", NameError::Device),
        (b"longername", NameError::NotEightDotThree),
        (b"ok/longername/../..", NameError::NotEightDotThree),
    ] {
        assert_eq!(path(b"/drive_c").join(text), Err(PathError::Name(error)), "{text:?}");
    }
}

#[test]
fn depth_has_an_end() {
    let deepest = [b'/', b'x'].repeat(MAX_DEPTH + 1);
    assert_eq!(path(&deepest).names().len(), MAX_DEPTH + 1);
    let deeper = [b'/', b'x'].repeat(MAX_DEPTH + 2);
    assert_eq!(UserPath::root().join(&deeper), Err(PathError::TooDeep));
    assert_eq!(path(&deepest).join(b"y"), Err(PathError::TooDeep));
    assert_eq!(path(&deepest).join(b"../y").unwrap().names().len(), MAX_DEPTH + 1);
    // A long text is no deep path.
    assert_eq!(UserPath::root().join(&b"./a/../".repeat(10_000)), Ok(UserPath::root()));
}

#[test]
fn above_and_within_go_by_whole_names() {
    let pub_ = path(b"/drive_c/pub");
    assert!(pub_.is_within(&pub_) && path(b"/drive_c/pub/x").is_within(&pub_));
    assert!(pub_.is_within(&UserPath::root()));
    for outside in [&b"/drive_c"[..], b"/drive_c/publ", b"/drive_c/pu/b", b"/drive_d/pub", b"/"] {
        assert!(!path(outside).is_within(&pub_), "{outside:?}");
    }
    assert_eq!(pub_.above(), path(b"/drive_c").names());
    assert_eq!(UserPath::root().above(), UserPath::root().names());
}

#[test]
fn the_wire_gets_the_disks_bytes_and_messages_do_not() {
    let path = path(b"/drive_c/\x84\x94.txt");
    let mut wire = Vec::new();
    path.write_to(&mut |bytes| wire.extend_from_slice(bytes));
    assert_eq!(wire, b"/DRIVE_C/\x84\x94.TXT");
    assert_eq!(format!("{path}"), "/DRIVE_C/??.TXT");
    let mut root = Vec::new();
    UserPath::root().write_to(&mut |bytes| root.extend_from_slice(bytes));
    assert_eq!(root, b"/");
}

#[test]
fn limits_of_dos_paths_are_the_manuals() {
    let resolve = |text: &[u8]| Sandbox::none().resolve(&path(text)).unwrap();
    // \ABCDEFGH\ seven times is 64 characters: one too many, as 63 with both backslashes is the most.
    let six = String::from("/drive_c") + &"/abcdefgh".repeat(6);
    let at_limit = resolve(format!("{six}/abcdefg").as_bytes());
    assert_eq!(dos_length(at_limit.names()), MAX_DOS_PATH);
    assert!(at_limit.is_directory_in_reach_of_dos() && at_limit.is_file_in_reach_of_dos());
    let in_it = resolve(format!("{six}/abcdefg/filename.ext").as_bytes());
    assert!(in_it.is_file_in_reach_of_dos() && !in_it.is_directory_in_reach_of_dos());
    let over = resolve(format!("{six}/abcdefgh").as_bytes());
    assert!(over.is_file_in_reach_of_dos() && !over.is_directory_in_reach_of_dos());
    assert!(!resolve(format!("{six}/abcdefgh/x").as_bytes()).is_file_in_reach_of_dos());
    // A root is a directory and no file.
    assert!(resolve(b"/drive_c").is_directory_in_reach_of_dos());
    assert!(!resolve(b"/drive_c").is_file_in_reach_of_dos());
}

#[test]
fn without_sandbox_the_root_holds_the_drives() {
    let none = Sandbox::none();
    assert_eq!(none.resolve(&UserPath::root()).unwrap().drive(), None);
    let place = none.resolve(&path(b"/Drive_C/x")).unwrap();
    assert_eq!((place.drive().map(Drive::letter), place.names().len()), (Some(b'C'), 1));
    for text in [&b"/x"[..], b"/drive_", b"/drive_1", b"/drive_cc", b"/drive_c.x", b"/c"] {
        assert_eq!(none.resolve(&path(text)), Err(PathError::NoSuchDrive), "{text:?}");
    }
}

#[test]
fn a_sandbox_needs_a_drive() {
    for text in [&b"/"[..], b"/ftp", b"/drive_"] {
        let sandbox = Sandbox::of(Some(text));
        assert_eq!(sandbox.resolve(&UserPath::root()), Err(PathError::NoSuchDrive));
    }
}

/// Whatever is typed, from wherever in the sandbox: the place is in the sandbox, or there is none.
fn stays_inside(root: &[u8], here: &UserPath, text: &[u8]) -> Option<UserPath> {
    let (sandbox, root) = (Sandbox::of(Some(root)), path(root));
    let there = here.join(text).ok()?;
    let place = match sandbox.resolve(&there) {
        Ok(place) => place,
        Err(error) => {
            assert_eq!(error, PathError::TooDeep, "{text:?}");
            return None;
        }
    };
    let (drive, below) = root.names().split_first().unwrap();
    assert_eq!(place.drive().map(|d| d.directory()), Some(*drive), "{text:?}");
    assert!(place.names().starts_with(below), "{text:?}");
    for name in place.names() {
        assert!(!matches!(name.as_raw(), [b'.', ..] | [b' ', ..]), "{text:?}");
        assert!(Name83::parse(&name.to_text()).as_ref() == Ok(name), "{text:?} {name:?}");
    }
    Some(there)
}

/// All texts of up to 7 of the characters that mean something in a path.
#[test]
fn no_short_text_leads_out_of_a_sandbox() {
    let here = path(b"/a");
    let letters = b"./\\aC: ";
    for length in 0..=7u32 {
        for number in 0..(letters.len() as u32).pow(length) {
            let mut rest = number;
            let mut text = [0; 7];
            for byte in &mut text[..length as usize] {
                *byte = letters[rest as usize % letters.len()];
                rest /= letters.len() as u32;
            }
            stays_inside(b"/drive_c/a", &here, &text[..length as usize]);
        }
    }
}

/// Walks of random steps made of what attackers try, each from where the last one led.
#[test]
fn no_walk_leads_out_of_a_sandbox() {
    let pieces: [&[u8]; 26] = [
        b"/",
        b"\\",
        b"..",
        b".",
        b"...",
        b"a",
        b"drive_c",
        b"/drive_d",
        b"C:",
        b"c:\\",
        b"con",
        b"NUL.TXT",
        b"..\\",
        b"../",
        b" ",
        b"\0",
        b"~1",
        b"PROGRA~1",
        b"%2e%2e",
        b"\x2e\x2e/",
        b"\xC0\xAE",
        b"x.y",
        b"*",
        b"/..",
        b"\xFF",
        b"DRIVE_C\\..",
    ];
    let mut seed = 0x1234_5678_u32;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed as usize
    };
    let mut arrived = 0;
    for root in [&b"/drive_c"[..], b"/drive_c/pub", b"/drive_z/a/b/c/d/e/f"] {
        let mut here = UserPath::root();
        for _ in 0..100_000 {
            let mut text = Vec::new();
            for _ in 0..1 + next() % 6 {
                text.extend_from_slice(pieces[next() % pieces.len()]);
            }
            if let Some(there) = stays_inside(root, &here, &text) {
                here = there;
                arrived += 1;
            }
        }
    }
    assert!(arrived > 10_000, "{arrived} texts were paths at all");
}

#[test]
fn a_deep_path_in_a_deep_sandbox_is_refused() {
    let root = [&b"/drive_c"[..], &[b'/', b'r'].repeat(20)].concat();
    let sandbox = Sandbox::of(Some(&root));
    assert!(sandbox.resolve(&path(&[b'/', b'x'].repeat(12))).is_ok());
    assert_eq!(sandbox.resolve(&path(&[b'/', b'x'].repeat(13))), Err(PathError::TooDeep));
}

#[test]
fn every_drive_has_its_directory() {
    let mut set = DriveSet::EMPTY;
    for index in 0..26 {
        let drive = Drive::from_index(index).unwrap();
        assert_eq!(Drive::from_directory(&drive.directory()), Some(drive));
        assert_eq!(Drive::new(drive.letter().to_ascii_lowercase()), Some(drive));
        assert!(!set.contains(drive));
        set.insert(drive);
        assert!(set.contains(drive));
    }
    assert_eq!(set.iter().count(), 26);
    for drive in DriveSet::iter(set) {
        set.remove(drive);
    }
    assert_eq!(set, DriveSet::EMPTY);
    assert_eq!((Drive::from_index(26), Drive::new(b'1'), Drive::new(b'[')), (None, None, None));
}
