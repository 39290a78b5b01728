//! Names of files in MTCP.CFG: `C:\MTCP\FTP.LOG`, as mTCP's users have them, or `/drive_c/mtcp/ftp.log`.

use crate::vfs::path::PathError;
use crate::vfs::{Drive, UserPath};

/// The path, beginning with its drive, that `text` means: for [`crate::vfs::Sandbox::none`].
///
/// Slashes of both kinds and letters of both cases are the same. A name without drive is on `boot`, the
/// drive that the server was started from. There is no current directory: `C:FTP.LOG` and `FTP.LOG` are in
/// the root.
///
/// # Errors
/// [`PathError::Name`] and [`PathError::TooDeep`]; [`PathError::NoSuchDrive`] when `text` names no file:
/// the root of drives or of a drive.
pub fn locate(text: &[u8], boot: Drive) -> Result<UserPath, PathError> {
    let (drive, rest) = match text {
        [letter, b':', rest @ ..] => {
            (Some(Drive::new(*letter).ok_or(PathError::NoSuchDrive)?), rest)
        }
        _ => (None, text),
    };
    let mut path = UserPath::root();
    path.go(rest)?;
    if drive.is_some() || path.names().first().and_then(Drive::from_directory).is_none() {
        path.move_below(drive.unwrap_or(boot).directory())?;
    }
    if path.names().len() < 2 { Err(PathError::NoSuchDrive) } else { Ok(path) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    fn shown(text: &[u8]) -> Result<std::string::String, PathError> {
        locate(text, Drive::new(b'A').unwrap()).map(|path| format!("{path}"))
    }

    #[test]
    fn both_forms_name_the_same_file() {
        for text in [
            &b"C:\\MTCP\\MTCP.CFG"[..],
            b"c:/mtcp/mtcp.cfg",
            b"c:mtcp\\mtcp.cfg",
            b"/drive_c/mtcp/mtcp.cfg",
            b"/DRIVE_C\\MTCP/MTCP.CFG",
            b"C:\\X\\..\\MTCP\\.\\MTCP.CFG",
            b"C:\\..\\MTCP\\MTCP.CFG",
        ] {
            assert_eq!(shown(text).unwrap(), "/DRIVE_C/MTCP/MTCP.CFG", "{text:?}");
        }
    }

    #[test]
    fn without_a_drive_it_is_the_one_booted_from() {
        assert_eq!(shown(b"ftppass.txt").unwrap(), "/DRIVE_A/FTPPASS.TXT");
        assert_eq!(shown(b"\\ftp\\ftppass.txt").unwrap(), "/DRIVE_A/FTP/FTPPASS.TXT");
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for text in
            [&b""[..], b"C:", b"C:\\", b"/", b"/drive_c", b"\\drive_c\\", b"1:\\X", b"C:\\.."]
        {
            assert_eq!(shown(text), Err(PathError::NoSuchDrive), "{text:?}");
        }
        assert!(matches!(shown(b"C:\\LONGERNAME.TXT"), Err(PathError::Name(_))));
        assert!(matches!(shown(b"CC:\\X"), Err(PathError::Name(_))));
    }
}
