//! Bytes by chunk in files that only grow: data first, then the entries that point into it, each durable before the
//! next step. What a crash leaves half done at an end is cut off when the folder is opened.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::types::ChunkId;

/// Data of a file before the next one is begun; what is written anew when one chunk of it goes.
const FULL: u64 = if cfg!(test) { 4096 } else { 32 * 1024 * 1024 };
/// An entry: the chunk's id (16 bytes), offset (8) and length (4) of its data, and the CRC-32 of these (4).
const ENTRY: usize = 32;

/// Bytes of each chunk. Ids are content-addressed, so a chunk that is written twice says the same twice.
pub(super) struct Segments {
    folder: PathBuf,
    state: RwLock<State>,
    /// Writers take turns; a reader waits for none of them.
    turn: Mutex<()>,
}

#[derive(Default)]
struct State {
    places: HashMap<ChunkId, Place>,
    files: BTreeMap<u32, Pair>,
}

#[derive(Clone, Copy)]
struct Place {
    file: u32,
    offset: u32,
    length: u32,
}

/// A file of data and one of entries.
#[derive(Clone)]
struct Pair {
    data: Arc<File>,
    entries: Arc<File>,
    /// Where the next data go.
    end: u64,
    /// Entries, the stale ones among them.
    count: usize,
    /// Entries that count.
    live: usize,
}

impl Segments {
    /// Opens the files in `folder`, or begins with none.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut state = State::default();
        for number in numbers(folder)? {
            state.open(folder, number)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            state: RwLock::new(state),
            turn: Mutex::default(),
        })
    }

    /// How many chunks there are.
    pub fn len(&self) -> usize {
        self.read(|state| state.places.len())
    }

    /// Whether the chunk is there.
    pub fn holds(&self, chunk: ChunkId) -> bool {
        self.read(|state| state.places.contains_key(&chunk))
    }

    /// The chunks that there are, in their order.
    pub fn ids(&self) -> Vec<ChunkId> {
        let mut ids: Vec<ChunkId> = self.read(|state| state.places.keys().copied().collect());
        ids.sort_unstable();
        ids
    }

    /// The bytes of each chunk, in order; none for unknown ones.
    pub fn get(&self, chunks: &[ChunkId]) -> Result<Vec<Option<Vec<u8>>>> {
        let found = self.read(|state| {
            let place = |chunk| {
                let place: &Place = state.places.get(chunk)?;
                Some((*place, Arc::clone(&state.files.get(&place.file)?.data)))
            };
            chunks.iter().map(place).collect::<Vec<_>>()
        });
        let mut all = Vec::with_capacity(found.len());
        for one in found {
            let Some((place, data)) = one else {
                all.push(None);
                continue;
            };
            let mut bytes = vec![0; place.length as usize];
            data.read_exact_at(&mut bytes, place.offset.into()).map_err(failed)?;
            all.push(Some(bytes));
        }
        Ok(all)
    }

    /// Adds chunks; they are durable when this returns.
    pub fn put(&self, chunks: &[(ChunkId, Vec<u8>)]) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.append(chunks)
    }

    /// Forgets chunks; their bytes stay until `compact`.
    pub fn forget(&self, chunks: &[ChunkId]) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(|state| {
            for chunk in chunks {
                state.remove(*chunk);
            }
        });
    }

    /// Forgets all chunks but these, and takes the others off the disk.
    pub fn retain(&self, alive: &BTreeSet<ChunkId>) -> Result<()> {
        let mut stale = self.ids();
        stale.retain(|chunk| !alive.contains(chunk));
        self.forget(&stale);
        self.compact()
    }

    /// The first `N` bytes of each chunk that has as many.
    pub fn heads<const N: usize>(&self) -> Result<Vec<(ChunkId, [u8; N])>> {
        let long = |place: &Place| place.length as usize >= N;
        let found = self.read(|state| {
            let file = |place: &Place| state.files.get(&place.file).map(|pair| Arc::clone(&pair.data));
            let places = state.places.iter().filter(|(_, place)| long(place));
            let places = places.filter_map(|(chunk, place)| Some((*chunk, place.offset, file(place)?)));
            places.collect::<Vec<_>>()
        });
        let mut heads = Vec::with_capacity(found.len());
        for (chunk, offset, data) in found {
            let mut head = [0; N];
            data.read_exact_at(&mut head, offset.into()).map_err(failed)?;
            heads.push((chunk, head));
        }
        Ok(heads)
    }

    fn append(&self, chunks: &[(ChunkId, Vec<u8>)]) -> Result<()> {
        let mut rest = chunks;
        while !rest.is_empty() {
            let (file, pair) = self.last()?;
            let (mut data, mut entries, mut places) = (Vec::new(), Vec::new(), Vec::new());
            while let Some(((chunk, bytes), after)) = rest.split_first()
                && (places.is_empty() || pair.end + data.len() as u64 <= FULL)
            {
                let offset = pair.end + data.len() as u64;
                entries.extend(entry(*chunk, offset, bytes.len() as u32));
                let (offset, length) = (offset as u32, bytes.len() as u32);
                places.push((*chunk, Place { file, offset, length }));
                data.extend_from_slice(bytes);
                rest = after;
            }
            pair.data.write_all_at(&data, pair.end).map_err(failed)?;
            pair.data.sync_data().map_err(failed)?;
            let at = (pair.count * ENTRY) as u64;
            pair.entries.write_all_at(&entries, at).map_err(failed)?;
            pair.entries.sync_data().map_err(failed)?;
            self.write(|state| {
                for (chunk, place) in places {
                    state.insert(chunk, place);
                }
            });
        }
        Ok(())
    }

    /// The file that is written to.
    fn last(&self) -> Result<(u32, Pair)> {
        let last = |state: &State| {
            let last = state.files.last_key_value();
            last.map(|(number, pair)| (*number, pair.clone()))
        };
        match self.read(last) {
            Some((number, pair)) if pair.end < FULL => return Ok((number, pair)),
            Some((number, _)) => self.begin(number + 1)?,
            None => self.begin(1)?,
        }
        self.read(last).ok_or_else(|| failed("no file to write to"))
    }

    fn begin(&self, number: u32) -> Result<()> {
        let mut opened = Ok(());
        self.write(|state| opened = state.open(&self.folder, number));
        opened?;
        let folder = File::open(&self.folder).map_err(failed)?;
        folder.sync_all().map_err(failed)
    }

    /// Takes the bytes of forgotten chunks off the disk: writes what counts of a file that has some at the end of the
    /// last one, then deletes the file. A crash in between leaves both, which is no fault.
    pub fn compact(&self) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let worn = |state: &State| {
            let mut files = state.files.iter().filter(|(_, pair)| pair.live < pair.count);
            files.next().map(|(number, _)| *number)
        };
        while let Some(number) = self.read(worn) {
            if self.read(|state| state.files.keys().next_back() == Some(&number)) {
                self.begin(number + 1)?;
            }
            let kept = self.read(|state| {
                let own = state.places.iter().filter(|(_, place)| place.file == number);
                own.map(|(chunk, _)| *chunk).collect::<Vec<_>>()
            });
            let bytes = self.get(&kept)?.into_iter().flatten();
            self.append(&kept.into_iter().zip(bytes).collect::<Vec<_>>())?;
            self.write(|state| drop(state.files.remove(&number)));
            // The data first: entries without them are cut off at the next opening.
            for path in [data_path(&self.folder, number), entries_path(&self.folder, number)] {
                std::fs::remove_file(path).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: impl FnOnce(&mut State)) {
        write(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    /// Opens the files of that number, cut after the last entry that is whole and whose data are there.
    fn open(&mut self, folder: &Path, number: u32) -> Result<()> {
        let open = |path: PathBuf| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(path).map_err(failed)
        };
        let (data, entries) = (open(data_path(folder, number))?, open(entries_path(folder, number))?);
        let written = data.metadata().map_err(failed)?.len();
        let mut lines = vec![0; entries.metadata().map_err(failed)?.len() as usize];
        entries.read_exact_at(&mut lines, 0).map_err(failed)?;
        let (lines, _torn) = lines.as_chunks::<ENTRY>();
        let mut places = Vec::with_capacity(lines.len());
        let mut end = 0;
        for line in lines {
            let Some((chunk, offset, length)) =
                parse(line).filter(|(_, offset, length)| offset + u64::from(*length) <= written)
            else {
                break;
            };
            end = offset + u64::from(length);
            let place = Place {
                file: number,
                offset: offset as u32,
                length,
            };
            places.push((chunk, place));
        }
        entries.set_len((places.len() * ENTRY) as u64).map_err(failed)?;
        data.set_len(end).map_err(failed)?;
        let pair = Pair {
            data: Arc::new(data),
            entries: Arc::new(entries),
            end: 0,
            count: 0,
            live: 0,
        };
        self.files.insert(number, pair);
        for (chunk, place) in places {
            self.insert(chunk, place);
        }
        Ok(())
    }

    /// Takes in an entry that stands at the end of its file.
    fn insert(&mut self, chunk: ChunkId, place: Place) {
        self.remove(chunk);
        if let Some(pair) = self.files.get_mut(&place.file) {
            pair.end = u64::from(place.offset) + u64::from(place.length);
            pair.count += 1;
            pair.live += 1;
        }
        self.places.insert(chunk, place);
    }

    fn remove(&mut self, chunk: ChunkId) {
        if let Some(place) = self.places.remove(&chunk)
            && let Some(pair) = self.files.get_mut(&place.file)
        {
            pair.live -= 1;
        }
    }
}

fn data_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:06}.data"))
}

fn entries_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:06}.entries"))
}

/// The numbers of the files, in order.
fn numbers(folder: &Path) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(folder).map_err(failed)? {
        let name = file.map_err(failed)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".entries"));
        numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn entry(chunk: ChunkId, offset: u64, length: u32) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..16].copy_from_slice(chunk.0.as_bytes());
    entry[16..24].copy_from_slice(&offset.to_le_bytes());
    entry[24..28].copy_from_slice(&length.to_le_bytes());
    let sum = crc32fast::hash(&entry[..28]);
    entry[28..].copy_from_slice(&sum.to_le_bytes());
    entry
}

/// Id, offset and length of an entry, if it is whole.
fn parse(entry: &[u8; ENTRY]) -> Option<(ChunkId, u64, u32)> {
    let (chunk, rest) = entry.split_first_chunk::<16>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let sum = rest.first_chunk::<4>()?;
    let whole = crc32fast::hash(&entry[..28]) == u32::from_le_bytes(*sum);
    let chunk = ChunkId(Uuid::from_bytes(*chunk));
    whole.then(|| (chunk, u64::from_le_bytes(*offset), u32::from_le_bytes(*length)))
}

/// Maps the errors of files.
fn failed(cause: impl std::fmt::Display) -> Error {
    Error::storage("what is kept beside the chunks failed", cause)
}

#[cfg(test)]
mod tests;
