//! The fingerprint of an item: equal fingerprints mean that parsing and chunking again would change nothing.

use crate::chunk::Chunking;
use crate::parse;
use crate::types::{Item, Patch};

/// Raised whenever a parser or the chunker would make something else of the same bytes.
pub const PARSER_VERSION: u32 = 5;

/// Where words in pictures are read: files that may hold some are others then.
const PICTURES: &[u8] = b"pictures";

/// Hexadecimal digits kept: 128 bits, far more than any collection needs.
const LENGTH: usize = 32;

/// Those of the settings: there are few of them.
const SETTINGS_LENGTH: usize = 16;

/// BLAKE3 over content, media type, metadata, principals, parser version and chunk settings; the URI has no part in it.
///
/// Parts are length-prefixed, so no two different items share their bytes.
pub fn of(item: &Item, chunking: Chunking) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&PARSER_VERSION.to_le_bytes());
    for setting in chunking.settings() {
        hasher.update(&setting.to_le_bytes());
    }
    if parse::sees(&item.bytes) {
        hasher.update(PICTURES);
    }
    // A map of JSON values always serialises: its keys are strings.
    let metadata = serde_json::to_vec(&item.metadata).unwrap_or_default();
    let media_type = item.media_type.as_deref().unwrap_or_default();
    for part in [&item.bytes, media_type.as_bytes(), &metadata] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    for principal in &item.principals {
        hasher.update(&(principal.len() as u64).to_le_bytes());
        hasher.update(principal.as_bytes());
    }
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(LENGTH);
    hex
}

/// What a fingerprint depends on besides the item: while it is the same, so is what is made of equal items.
pub fn settings(chunking: Chunking) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&PARSER_VERSION.to_le_bytes());
    for setting in chunking.settings() {
        hasher.update(&setting.to_le_bytes());
    }
    if parse::can_see() {
        hasher.update(PICTURES);
    }
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(SETTINGS_LENGTH);
    hex
}

/// The fingerprint of a document that was read with `fingerprint` and of which something was changed since.
pub fn patched(fingerprint: &str, patch: &Patch) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(fingerprint.as_bytes());
    // As above: it always serialises.
    hasher.update(&serde_json::to_vec(patch).unwrap_or_default());
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(LENGTH);
    hex
}

/// BLAKE3 of what is embedded of a chunk, 128 bits: equal texts have equal vectors.
pub fn text(embedded: &str) -> [u8; 16] {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(embedded.as_bytes()).as_bytes()[..16]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Metadata;

    fn item() -> Item {
        Item {
            uri: "a.md".into(),
            media_type: None,
            bytes: b"words".to_vec(),
            metadata: Metadata::new(),
            principals: vec!["ab".into(), "c".into()],
            modified: None,
        }
    }

    fn check(change: fn(&mut Item), same: bool) {
        let mut changed = item();
        change(&mut changed);
        let usual = Chunking::default();
        assert_eq!(of(&changed, usual) == of(&item(), usual), same, "{changed:?}");
        assert_eq!(of(&changed, usual).len(), LENGTH);
    }

    #[test]
    fn what_changes_the_chunks_changes_the_fingerprint_and_nothing_else() {
        check(|_| {}, true);
        check(|item| item.uri = "b.md".into(), true);
        check(|item| item.modified = Some(5), true);
        check(|item| item.bytes.push(b'!'), false);
        check(|item| item.media_type = Some("text/html".into()), false);
        check(|item| item.principals = vec!["a".into(), "bc".into()], false);
        check(|item| drop(item.metadata.insert("team".into(), 1.into())), false);
    }

    #[test]
    fn other_chunks_have_another_fingerprint() {
        let usual = Chunking::default();
        let smaller = Chunking {
            target_bytes: 900,
            ..usual
        };
        let bare = Chunking {
            context: false,
            ..usual
        };
        assert_ne!(of(&item(), usual), of(&item(), smaller));
        assert_ne!(of(&item(), usual), of(&item(), bare));
        assert_ne!(settings(usual), settings(smaller));
        assert_ne!(settings(usual), settings(bare));
        let [one, other] = [5, 6].map(|sentences| Chunking { sentences, ..usual });
        assert_ne!(of(&item(), usual), of(&item(), one));
        assert_ne!(of(&item(), other), of(&item(), one));
        assert_ne!(settings(usual), settings(one));
    }
}
