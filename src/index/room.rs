//! Room on the disk, looked at before vectors are written: their engine writes through mapped files, and where a page of one
//! finds no room, the system ends the process.

use std::path::Path;

use crate::error::{Error, Result};

/// What has to be free, in bytes; the engine makes files of 32 MB.
const LEAST: u64 = 64 << 20;

/// An error where the disk of `folder` has no room for more vectors.
pub(super) fn check(folder: &Path) -> Result<()> {
    // A file system that does not tell is taken for one with room.
    match rustix::fs::statvfs(folder) {
        Ok(room) => enough(room.f_bavail.saturating_mul(room.f_frsize)),
        Err(_) => Ok(()),
    }
}

fn enough(free: u64) -> Result<()> {
    if free >= LEAST {
        return Ok(());
    }
    let cause = format!(
        "No space left: {} MB are free, {} MB have to be",
        free >> 20,
        LEAST >> 20
    );
    Err(Error::storage("the vectors were not written", cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_nothing_is_written_and_it_says_what_helps() {
        assert!(enough(LEAST).is_ok());
        let error = enough(LEAST - 1).unwrap_err().to_string();
        assert!(
            error.contains("63 MB are free") && error.contains("free some space"),
            "{error}"
        );
        assert!(check(&std::env::temp_dir()).is_ok());
    }
}
