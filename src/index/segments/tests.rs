//! What is left after any crash, and what compaction keeps.

use tempfile::TempDir;

use super::*;

fn chunk(n: u8) -> (ChunkId, Vec<u8>) {
    (ChunkId(Uuid::from_u128(n.into())), vec![n; 400 + usize::from(n)])
}

fn chunks(numbers: impl IntoIterator<Item = u8>) -> Vec<(ChunkId, Vec<u8>)> {
    numbers.into_iter().map(chunk).collect()
}

/// A folder with these chunks, one write each.
fn filled(numbers: impl IntoIterator<Item = u8>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let segments = Segments::open(folder.path()).unwrap();
    for number in numbers {
        segments.put(&[chunk(number)]).unwrap();
    }
    folder
}

/// Whether exactly these chunks are there, with their bytes.
fn check(segments: &Segments, numbers: impl IntoIterator<Item = u8>) {
    let expected = chunks(numbers);
    let ids: Vec<ChunkId> = expected.iter().map(|(id, _)| *id).collect();
    assert_eq!(segments.ids(), ids);
    let bytes = segments.get(&ids).unwrap();
    assert_eq!(
        bytes,
        expected.into_iter().map(|(_, bytes)| Some(bytes)).collect::<Vec<_>>()
    );
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        files.push((
            file.file_name().into_string().unwrap(),
            std::fs::read(file.path()).unwrap(),
        ));
    }
    files.sort();
    files
}

#[test]
fn what_was_put_is_there_after_reopening_across_files() {
    let folder = filled(1..=30);
    assert!(files(folder.path()).len() > 4, "several files");
    let segments = Segments::open(folder.path()).unwrap();
    check(&segments, 1..=30);
    let (known, unknown) = (chunk(3), chunk(99));
    assert!(segments.holds(known.0) && !segments.holds(unknown.0));
    assert_eq!(segments.get(&[unknown.0, known.0]).unwrap(), [None, Some(known.1)]);
    assert_eq!(segments.len(), 30);
}

#[test]
fn wherever_a_write_was_cut_the_chunks_before_it_are_whole_and_writing_goes_on() {
    let whole = filled(1..=3);
    let [(data, all_data), (entries, all_entries)] = files(whole.path()).try_into().unwrap();
    let at_rest = (chunk(1).1.len() + chunk(2).1.len(), 2 * ENTRY);
    // The data go first and the entries follow once they are durable.
    let mut cuts: Vec<(usize, usize)> = (at_rest.0..=all_data.len())
        .step_by(9)
        .map(|cut| (cut, at_rest.1))
        .collect();
    cuts.extend((at_rest.1..=all_entries.len()).map(|cut| (all_data.len(), cut)));
    for (data_end, entries_end) in cuts {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(&data), &all_data[..data_end]).unwrap();
        std::fs::write(folder.path().join(&entries), &all_entries[..entries_end]).unwrap();
        let segments = Segments::open(folder.path()).unwrap();
        let survivors = if entries_end == all_entries.len() { 3 } else { 2 };
        check(&segments, 1..=survivors);
        segments.put(&chunks([7])).unwrap();
        drop(segments);
        check(&Segments::open(folder.path()).unwrap(), (1..=survivors).chain([7]));
    }
}

#[test]
fn entries_of_zeros_or_without_their_data_are_cut_off() {
    let folder = filled(1..=3);
    let [(data, all_data), (entries, mut all_entries)] = files(folder.path()).try_into().unwrap();
    std::fs::write(folder.path().join(&data), &all_data[..all_data.len() - 1]).unwrap();
    check(&Segments::open(folder.path()).unwrap(), 1..=2);
    // After a power cut a file may have its new length and not its new content.
    all_entries[2 * ENTRY..].fill(0);
    std::fs::write(folder.path().join(&data), &all_data).unwrap();
    std::fs::write(folder.path().join(&entries), &all_entries).unwrap();
    check(&Segments::open(folder.path()).unwrap(), 1..=2);
}

#[test]
fn the_bytes_of_forgotten_chunks_are_off_the_disk_after_compaction() {
    let folder = filled(1..=20);
    let on_disk = |n: u8| {
        let (id, bytes) = chunk(n);
        let holds = |file: &[u8], what: &[u8]| file.windows(what.len()).any(|one| one == what);
        let files = files(folder.path());
        let mut files = files.iter();
        files.any(|(_, file)| holds(file, id.0.as_bytes()) || holds(file, &bytes[..100]))
    };
    let segments = Segments::open(folder.path()).unwrap();
    segments.forget(&[chunk(3).0, chunk(20).0]);
    check(&segments, (1..=19).filter(|n| *n != 3));
    assert!(on_disk(3) && on_disk(20));
    segments.compact().unwrap();
    check(&segments, (1..=19).filter(|n| *n != 3));
    assert_eq!([2, 3, 19, 20].map(on_disk), [true, false, true, false]);
    let untouched = files(folder.path());
    segments.compact().unwrap();
    assert_eq!(files(folder.path()), untouched, "nothing is written twice");
    segments.put(&chunks([30])).unwrap();
    drop(segments);
    check(
        &Segments::open(folder.path()).unwrap(),
        (1..=19).filter(|n| *n != 3).chain([30]),
    );
}

#[test]
fn a_crash_between_copying_and_deleting_does_no_harm() {
    let folder = filled(1..=4);
    let before = files(folder.path());
    let segments = Segments::open(folder.path()).unwrap();
    segments.forget(&[chunk(1).0, chunk(2).0, chunk(3).0]);
    segments.compact().unwrap();
    drop(segments);
    // The old files are still there, as if the process had died before it deleted them, or after the first of them.
    for kept in [before.as_slice(), &before[1..]] {
        for (name, bytes) in kept {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let segments = Segments::open(folder.path()).unwrap();
        assert_eq!(segments.get(&[chunk(4).0]).unwrap(), [Some(chunk(4).1)]);
        let stale: Vec<ChunkId> = segments.ids().into_iter().filter(|id| *id != chunk(4).0).collect();
        segments.forget(&stale);
        segments.compact().unwrap();
        check(&segments, [4]);
    }
}

#[test]
fn a_chunk_that_comes_back_is_there_once() {
    let folder = filled([1, 2, 1, 1]);
    let segments = Segments::open(folder.path()).unwrap();
    check(&segments, [1, 2]);
    segments.forget(&[chunk(1).0]);
    check(&segments, [2]);
    segments.put(&chunks([1])).unwrap();
    check(&segments, [1, 2]);
}

#[test]
fn readers_go_on_while_files_are_compacted() {
    let folder = filled(1..=20);
    let segments = Segments::open(folder.path()).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while segments.holds(chunk(19).0) {
                assert_eq!(segments.get(&[chunk(20).0]).unwrap(), [Some(chunk(20).1)]);
            }
        });
        for n in 1..=19 {
            segments.forget(&[chunk(n).0]);
            segments.compact().unwrap();
        }
        reader.join().unwrap();
    });
    check(&segments, [20]);
}
