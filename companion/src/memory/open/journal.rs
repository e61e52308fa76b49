//! A file to which lines are added, one JSON value each. A line that was written outlives this process, killed in whatever way;
//! a second later it goes to the disk.

use crate::db::longer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Until it is so long it is not written anew.
const SHORT: u64 = 8 * 1024 * 1024;
/// How many times as long as it was when it was written anew it becomes before that is done again.
const GROWTH: u64 = 4;

/// A journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Up to where it holds whole lines.
    length: u64,
    /// How long it was when it was written anew.
    anew: u64,
    /// Whether half a line may follow, because the disk was full.
    torn: bool,
    /// Whether somebody is to take it to the disk.
    attended: bool,
    /// Whether the place is another's now.
    ended: bool,
}

impl Journal {
    /// The lines of the one at `path`, without those that are none, and how many of those there were. A missing file has no
    /// lines.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read<L: DeserializeOwned>(path: &Path) -> Result<(Vec<L>, usize)> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(mut file) => file.read_to_end(&mut text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let lines = text.split(|it| *it == b'\n').filter(|it| !it.is_empty());
        let (whole, torn): (Vec<_>, Vec<_>) = lines.map(serde_json::from_slice).partition(serde_json::Result::is_ok);
        Ok((whole.into_iter().flatten().collect(), torn.len()))
    }

    /// The one at `path`, with this text and no other.
    ///
    /// # Errors
    /// When it cannot be written; then it is what it was.
    pub(super) fn of(path: &Path, text: &[u8]) -> Result<Self> {
        let new = longer(path, ".new");
        // One that was not finished.
        std::fs::remove_file(&new).or_else(|it| if it.kind() == ErrorKind::NotFound { Ok(()) } else { Err(it) })?;
        let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text)?;
        file.sync_data()?;
        std::fs::rename(&new, path)?;
        // Or the power fails and it is the one before, without what is added from now on.
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        Ok(Self { path: path.to_owned(), file, length, anew: length, torn: false, attended: false, ended: false })
    }

    /// Adds lines, all or none.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn add<L: Serialize>(&mut self, lines: impl IntoIterator<Item = L>) -> Result<()> {
        if self.ended {
            return Err(Error::other("this companion has ended"));
        }
        let text = text(lines)?;
        if self.torn {
            self.file.set_len(self.length)?;
        }
        self.torn = true;
        self.file.write_all(&text)?;
        self.torn = false;
        self.length = self.length.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Nothing is added any more.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether most of it is of the past.
    pub(super) fn is_long(&self) -> bool {
        self.length > SHORT.max(self.anew.saturating_mul(GROWTH))
    }

    /// Puts this text in the place of its lines.
    ///
    /// # Errors
    /// When it cannot be written; then it goes on as it was.
    pub(super) fn begin_anew(&mut self, text: &[u8]) -> Result<()> {
        *self = Self { attended: self.attended, ..Self::of(&self.path, text)? };
        Ok(())
    }

    /// Whether nobody is to take it to the disk yet; whoever is told so is to do that.
    pub(super) fn is_left_alone(&mut self) -> bool {
        !std::mem::replace(&mut self.attended, true)
    }

    /// The file, by whoever takes it to the disk at last; what is added from now on is for another.
    ///
    /// # Errors
    /// When there is no file descriptor to be had.
    pub(super) fn file_to_sync(&mut self) -> Result<File> {
        self.attended = false;
        self.file.try_clone()
    }
}

/// Lines, as they stand in a journal.
///
/// # Errors
/// Never, for what is no map with odd keys.
pub(super) fn text<L: Serialize>(lines: impl IntoIterator<Item = L>) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, &line).map_err(Error::from)?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> (Vec<u32>, usize) {
        Journal::read(path).unwrap()
    }

    #[test]
    fn lines_are_there_again_whatever_stands_between_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert_eq!(read(&path), (vec![], 0));
        let mut journal = Journal::of(&path, b"1\n2\n").unwrap();
        journal.add([3]).unwrap();
        assert_eq!(read(&path), (vec![1, 2, 3], 0));
        // As when the machine lost its power.
        std::fs::write(&path, b"1\n\xff\0\0\n\n2\n{\"three\n4").unwrap();
        assert_eq!(read(&path), (vec![1, 2, 4], 2));
    }

    #[test]
    fn half_a_line_is_taken_back_before_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::of(&path, b"10\n").unwrap();
        // As when the disk was full in the middle of it.
        journal.file.write_all(b"12").unwrap();
        journal.torn = true;
        journal.add([3]).unwrap();
        assert_eq!(read(&path), (vec![10, 3], 0));
    }

    #[test]
    fn a_long_one_is_written_anew_when_it_has_grown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::of(&path, b"").unwrap();
        journal.add(std::iter::repeat_n(1, usize::try_from(SHORT / 2).unwrap())).unwrap();
        assert!(!journal.is_long());
        journal.add([1]).unwrap();
        assert!(journal.is_long());
        journal.begin_anew(b"7\n").unwrap();
        journal.add([8]).unwrap();
        assert_eq!(read(&path), (vec![7, 8], 0));
        assert!(!journal.is_long());
    }
}
