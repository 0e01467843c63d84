//! Tells whether an item needs work: equal fingerprints mean equal documents and chunks.

use crate::chunk;
use crate::parse;
use crate::types::Item;

/// Hash of what the item becomes: content, metadata, principals, parser version and chunk settings.
/// 32 hexadecimal digits of BLAKE3; also the document's version.
pub fn of(item: &Item) -> String {
    let mut hasher = blake3::Hasher::new();
    let metadata = serde_json::to_vec(&item.metadata).unwrap_or_default();
    let principals = serde_json::to_vec(&item.principals).unwrap_or_default();
    let media_type = item.media_type.clone().unwrap_or_default();
    let settings = format!("{} {} {}", parse::VERSION, chunk::TARGET, chunk::LARGEST);
    // Lengths go first, so that no two different items share their bytes.
    for part in [
        &item.bytes,
        &metadata,
        &principals,
        media_type.as_bytes(),
        settings.as_bytes(),
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Metadata;

    #[test]
    fn it_follows_content_metadata_and_principals_but_not_the_name() {
        let item = |uri: &str, bytes: &[u8]| Item {
            uri: uri.into(),
            media_type: None,
            bytes: bytes.to_vec(),
            metadata: Metadata::new(),
            principals: vec![],
            modified: Some(1),
        };
        let first = of(&item("a.md", b"one"));
        assert_eq!(first.len(), 32);
        assert_eq!(first, of(&item("b.md", b"one")));
        assert_ne!(first, of(&item("a.md", b"two")));
        let mut secret = item("a.md", b"one");
        secret.principals.push("board".into());
        assert_ne!(first, of(&secret));
        let mut tagged = item("a.md", b"one");
        tagged.metadata.insert("kind".into(), "memo".into());
        assert_ne!(first, of(&tagged));
    }
}
