//! Files and folders that are on the disk under their names when a call returns, whatever happens next.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// Writes `bytes` to `file`, all or nothing: aside first, then under its name.
pub fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    replace(file, |fresh| fresh.write_all(bytes))
}

/// The same, with what `content` writes.
pub fn replace(file: &Path, content: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let mut aside = file.as_os_str().to_owned();
    aside.push(".new");
    let aside = Path::new(&aside);
    let mut fresh = BufWriter::new(File::create(aside)?);
    content(&mut fresh)?;
    // Before the rename: a name may reach the disk earlier than the bytes behind it.
    fresh.into_inner()?.sync_all()?;
    rename(aside, file)
}

/// Renames a file or a folder; both folders know of it when this returns.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to)?;
    for folder in [to.parent(), from.parent()].into_iter().flatten() {
        // A relative name alone lies in the working folder.
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        for text in ["first", "second, which is longer", "3"] {
            write(&file, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&folder.path().join("none/settings.json"), b"x").unwrap_err();
    }

    #[test]
    fn a_folder_moves_with_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b/c"));
        std::fs::create_dir_all(from.join("deep")).unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        rename(&from, &to).unwrap();
        assert!(to.join("deep").exists() && !from.exists());
    }
}
