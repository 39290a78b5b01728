//! Tests of the password file's parser.
extern crate std;

use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;

/// The manual's sample, to the letter ("Setting up the password file").
const MANUAL: &[u8] = b"
    brutman    passw0rd  [none]        [any]                  all
    tester     b0guspw   [none]        /drive_e/ftp/incoming  stor stou
    anonymous  [email]   /drive_e/ftp  /incoming              stor stou
    readonly   [email]   /drive_e/ftp  [any]
";

fn path(text: &[u8]) -> UserPath {
    UserPath::root().join(text).unwrap()
}

fn messages(text: &[u8]) -> (Result<(), Invalid>, Vec<String>) {
    let mut messages = Vec::new();
    let result = Users::new(text).check("FTPPASS.TXT", &mut |m| messages.push(format!("{m}")));
    (result, messages)
}

/// The one error of a one-line file.
fn error(line: &str) -> String {
    let (result, messages) = messages(line.as_bytes());
    assert_eq!((result, messages.len()), (Err(Invalid), 1), "{line}: {messages:?}");
    messages[0].clone()
}

fn granted(permissions: Permissions) -> Vec<&'static str> {
    Permission::ALL.iter().filter(|&&p| permissions.contains(p)).map(|p| p.keyword()).collect()
}

#[test]
fn the_manuals_sample_means_what_the_manual_says() {
    assert_eq!(messages(MANUAL), (Ok(()), Vec::new()));
    let users = Users::new(MANUAL);

    let brutman = users.find(b"brutman").unwrap();
    assert_eq!(brutman.name, b"brutman");
    assert_eq!(brutman.password, Password::Text(b"passw0rd"));
    assert_eq!(brutman.sandbox(), Sandbox::none());
    assert_eq!(brutman.incoming, None);
    assert_eq!(brutman.permissions, Permissions::ALL);

    let tester = users.find(b"tester").unwrap();
    assert_eq!(tester.sandbox(), Sandbox::none());
    assert_eq!(path(tester.incoming.unwrap()), path(b"/DRIVE_E/FTP/INCOMING"));
    assert_eq!(granted(tester.permissions), ["stor", "stou"]);

    let anonymous = users.find(b"anonymous").unwrap();
    assert_eq!(anonymous.password, Password::Email);
    let root = anonymous.sandbox().resolve(&UserPath::root());
    assert_eq!(root, Sandbox::none().resolve(&path(b"/drive_e/ftp")));
    assert_eq!(path(anonymous.incoming.unwrap()), path(b"/incoming"));
    assert_eq!(granted(anonymous.permissions), ["stor", "stou"]);

    let readonly = users.find(b"readonly").unwrap();
    assert_eq!(readonly.incoming, None);
    assert_eq!(readonly.permissions, Permissions::NONE);

    assert_eq!(users.find(b"nobody"), None);
    assert_eq!(users.find(b""), None);
    assert_eq!(users.iter().map(|user| user.line).collect::<Vec<_>>(), [2, 3, 4, 5]);
}

#[test]
fn our_sample_file_has_no_errors() {
    let text = include_bytes!("../../ftppass.txt");
    assert_eq!(messages(text), (Ok(()), Vec::new()));
    let names: Vec<_> = Users::new(text).iter().map(|user| user.name).collect();
    assert_eq!(names, [&b"brutman"[..], b"tester", b"anonymous", b"ftp", b"readonly"]);
}

#[test]
fn userids_fold_case_and_passwords_do_not() {
    let users = Users::new(b"Brutman passw0rd [none] [any] all");
    let user = users.find(b"BRUTMAN").unwrap();
    assert!(user.password.admits(b"passw0rd"));
    for wrong in [&b"Passw0rd"[..], b"passw0r", b"passw0rdd", b"", b"passw0rd "] {
        assert!(!user.password.admits(wrong), "{wrong:?}");
    }
}

#[test]
fn email_admits_anything_but_a_blank_line() {
    assert!(Password::Email.admits(b"me@example.com"));
    assert!(Password::Email.admits(b"x"));
    assert!(!Password::Email.admits(b""));
    assert!(!Password::Email.admits(b" \t"));
}

#[test]
fn keywords_come_in_any_case() {
    let users = Users::new(b"a [EMAIL] [NONE] [Any] ALL\nb p [none] [any] Dele MKD rmd RNFR");
    let a = users.find(b"a").unwrap();
    assert_eq!(a.password, Password::Email);
    assert_eq!((a.sandbox(), a.incoming), (Sandbox::none(), None));
    assert_eq!(a.permissions, Permissions::ALL);
    assert_eq!(granted(users.find(b"b").unwrap().permissions), ["dele", "mkd", "rmd", "rnfr"]);
}

#[test]
fn a_sandbox_may_be_a_whole_drive() {
    for text in [&b"u p /drive_d [any] all"[..], b"u p /DRIVE_D/ [any] all"] {
        let user = Users::new(text).find(b"u").unwrap();
        let root = user.sandbox().resolve(&UserPath::root()).unwrap();
        assert_eq!(root.drive().map(crate::vfs::Drive::letter), Some(b'D'));
        assert!(root.names().is_empty());
    }
}

#[test]
fn an_incoming_directory_in_a_sandbox_is_relative_to_it() {
    for text in [&b"u p /drive_d/f /in stor"[..], b"u p /drive_d/f in/ stor"] {
        let user = Users::new(text).find(b"u").unwrap();
        assert_eq!(path(user.incoming.unwrap()), path(b"/in"));
    }
    // Not even .. leads out of it.
    let user = Users::new(b"u p /drive_d/f /../../in stor").find(b"u").unwrap();
    assert_eq!(path(user.incoming.unwrap()), path(b"/in"));
}

#[test]
fn uploads_stay_within_the_incoming_directory() {
    let users = Users::new(b"in p /drive_d/f /incoming stor\nany p [none] [any] stor");
    let rights = |name: &[u8]| users.rights(&users.find(name).unwrap());
    let (within, any) = (rights(b"in"), rights(b"any"));
    for inside in [&b"/INCOMING"[..], b"/incoming/sub"] {
        assert!(users.admits(&within, path(inside).names()), "{inside:?}");
    }
    for outside in [&b"/"[..], b"/incoming/..", b"/incomin", b"/a/incoming"] {
        assert!(!users.admits(&within, path(outside).names()), "{outside:?}");
        assert!(users.admits(&any, path(outside).names()));
    }
    for (above, holds) in [(&b"/"[..], true), (b"/incoming", true), (b"/incoming/sub", false)] {
        assert_eq!(users.holds_incoming(&within, &path(above)), holds, "{above:?}");
        assert!(!users.holds_incoming(&any, &path(above)));
    }
}

#[test]
fn names_and_passwords_have_up_to_ten_characters() {
    assert_eq!(messages(b"abcdefghij 0123456789 [none] [any]"), (Ok(()), Vec::new()));
    assert_eq!(
        error("abcdefghijk p [none] [any]"),
        "ERROR: FTPPASS.TXT line 1: the userid (first field) has more than 10 characters. \
         Choose a shorter one"
    );
    let message = error("u 0123456789a [none] [any]");
    assert!(message.contains("the password (second field) has more than 10"), "{message}");
    assert!(!message.contains("0123456789a"), "{message}");
}

#[test]
fn each_error_names_its_line_and_the_remedy() {
    for (line, text) in [
        ("u", "the password (second field) is missing. A line reads: userid password sandbox"),
        ("u p", "the sandbox directory (third field) is missing"),
        ("u p [none]", "the incoming directory (fourth field) is missing"),
        ("u p C:\\FTP [any]", "must be [none] or a full path in the form /drive_c/dir"),
        ("u p /ftp [any]", "cannot be /ftp: it does not begin with a drive. Write it in the form"),
        ("u p / [any]", "cannot be /: it does not begin with a drive"),
        ("u p /drive_c/.. [any]", "cannot be /drive_c/..: it does not begin with a drive"),
        ("u p /drive_c/longernames [any]", "cannot be /drive_c/longernames: a name is longer than"),
        ("u p /drive_c/con [any]", "a name is that of a DOS device. Correct the path"),
        ("u p [none] incoming", "must be [any] or a full path"),
        ("u p [none] /", "cannot be /: it does not begin with a drive"),
        ("u p [none] /incoming", "cannot be /incoming: it does not begin with a drive"),
        ("u p [none] [any] retr", "retr is no permission. Use all, or any of: dele mkd rmd rnfr"),
        ("u p [none] [any] st\x1bor", "st?or is no permission"),
        ("u\x07 p [none] [any]", "the userid (first field) has a control character"),
    ] {
        let message = error(line);
        assert!(message.starts_with("ERROR: FTPPASS.TXT line 1: "), "{message}");
        assert!(message.contains(text), "{line}: {message}");
    }
}

#[test]
fn every_line_is_checked_and_comments_count() {
    let (result, messages) =
        messages(b"# users\r\n\r\na b\r\nok p [none] [any]\r\nb p [any] all\r\n");
    assert_eq!(result, Err(Invalid));
    assert_eq!(messages.len(), 2);
    assert!(messages[0].contains("line 3:") && messages[1].contains("line 5:"), "{messages:?}");
}

#[test]
fn lines_with_errors_are_no_users() {
    let users = Users::new(b"u p\nu q [none] [any] bad\nu r [none] [any]");
    assert_eq!(users.find(b"u").unwrap().password, Password::Text(b"r"));
    assert_eq!(users.iter().count(), 1);
}

#[test]
fn a_user_twice_is_an_error_with_both_lines() {
    let (result, messages) = messages(b"a p [none] [any]\nA q [none] [any]\n");
    assert_eq!(result, Err(Invalid));
    assert_eq!(messages.len(), 1);
    assert!(messages[0].contains("line 2: user A is in line 1 already"), "{messages:?}");
}

#[test]
fn a_file_without_users_is_an_error() {
    for text in [&b""[..], b"# nobody\r\n", b"\x1Aa p [none] [any]"] {
        let (result, messages) = messages(text);
        assert_eq!((result, messages.len()), (Err(Invalid), 1));
        assert!(messages[0].contains("there is no user in it"), "{messages:?}");
    }
}

#[test]
fn what_is_allowed_but_hardly_meant_is_a_warning() {
    let (result, open) = messages(b"ftp [email] [none] [any]");
    assert_eq!(result, Ok(()));
    assert!(open[0].starts_with("Warning: ") && open[0].contains("read every drive"), "{open:?}");
    let (result, twice) = messages(b"u p /drive_c/pub /drive_c/pub/in stor");
    assert_eq!(result, Ok(()));
    assert!(twice[0].contains("Leave /DRIVE_C/PUB out of it"), "{twice:?}");
}

#[test]
fn no_text_breaks_the_parser() {
    let pieces: [&[u8]; 18] = [
        b"user",
        b"[email]",
        b"[none]",
        b"[any]",
        b"all",
        b"stor",
        b"/drive_c",
        b"/../..",
        b"\\",
        b" ",
        b"\t",
        b"\r\n",
        b"\n",
        b"#",
        b"\x1A",
        b"\xFF\xFE",
        b"\0",
        b"/a/b/c/d/e/f/g/h/i/j/k/l/m",
    ];
    let mut seed = 0x2545_F491_u32;
    for _ in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..12 {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            text.extend_from_slice(pieces[seed as usize % pieces.len()]);
            text.push(if seed & 0x100 == 0 { b' ' } else { (seed >> 16) as u8 });
        }
        let (result, messages) = messages(&text);
        for message in &messages {
            assert!(message.bytes().all(|b| (b' '..=b'~').contains(&b)), "{message:?}");
        }
        let errors = messages.iter().filter(|m| m.starts_with("ERROR")).count();
        assert_eq!(result.is_err(), errors > 0);
        for user in Users::new(&text).iter() {
            assert!((1..=MAX_LENGTH).contains(&user.name.len()));
            let incoming = path(user.incoming.unwrap_or(b"/"));
            user.sandbox().resolve(&incoming).unwrap();
            assert!(Users::new(&text).find(user.name).is_some());
        }
    }
}
