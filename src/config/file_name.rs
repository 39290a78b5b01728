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
    let path = match text {
        [letter, b':', rest @ ..] => {
            on_drive(Drive::new(*letter).ok_or(PathError::NoSuchDrive)?, rest)?
        }
        _ => {
            let path = UserPath::root().join(text)?;
            match path.names().first().and_then(Drive::from_directory) {
                Some(_) => path,
                None => on_drive(boot, text)?,
            }
        }
    };
    if path.names().len() < 2 { Err(PathError::NoSuchDrive) } else { Ok(path) }
}

/// `text` from the root of `drive` on; `..` stops there.
fn on_drive(drive: Drive, text: &[u8]) -> Result<UserPath, PathError> {
    let below = UserPath::root().join(text)?;
    UserPath::root().child(drive.directory())?.append(&below)
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
