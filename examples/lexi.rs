//! Temporary: lexical speed at scale.
#![allow(missing_docs, clippy::all, clippy::pedantic)]
use std::sync::Arc;
use futures::future::BoxFuture;
use portolan::error::Result;
use portolan::index::vectors::{Point, VectorStore};
use portolan::index::{Collection, Identity, Replacement};
use portolan::types::*;

struct None_;
impl VectorStore for None_ {
    fn upsert(&self, _: Vec<Point>) -> BoxFuture<'_, Result<()>> { Box::pin(async { Ok(()) }) }
    fn remove(&self, _: Vec<ChunkId>) -> BoxFuture<'_, Result<()>> { Box::pin(async { Ok(()) }) }
    fn search<'a>(&'a self, _: Vec<f32>, _: &'a Filter, _: &'a Reader, _: usize) -> BoxFuture<'a, Result<Vec<Hit>>> { Box::pin(async { Ok(vec![]) }) }
    fn ids(&self) -> BoxFuture<'_, Result<Vec<ChunkId>>> { Box::pin(async { Ok(vec![]) }) }
    fn flush(&self) -> BoxFuture<'_, Result<()>> { Box::pin(async { Ok(()) }) }
    fn optimize(&self) -> BoxFuture<'_, Result<()>> { Box::pin(async { Ok(()) }) }
}
struct N(u64);
impl N {
    fn next(&mut self) -> u64 { self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15); let mut z = self.0; z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9); z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb); z ^ (z >> 31) }
    fn share(&mut self) -> f64 { ((self.next() >> 11) as f64 + 1.0) / (1u64 << 53) as f64 }
}
const WORDS: usize = 1_000_000;
fn word(rank: usize) -> String {
    const C: &[u8] = b"bcdfghjklmnpqrstvwxz"; const V: &[u8] = b"aiou";
    let mut n = rank as u64 * 271_829 % 40_960_000; let mut w = String::new();
    for _ in 0..4 { w.push(C[(n % 20) as usize] as char); n /= 20; w.push(V[(n % 4) as usize] as char); n /= 4; }
    w
}
fn cpu() -> f64 { let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap(); s.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6 }
fn report(name: &str, mut t: Vec<f64>) { t.sort_by(f64::total_cmp); let n = t.len(); println!("{name}: n {n} mean {:.3} p50 {:.3} p95 {:.3} p99 {:.3} max {:.3} cpu-ms", t.iter().sum::<f64>() / n as f64, t[n / 2], t[n * 95 / 100], t[n * 99 / 100], t[n - 1]); }
fn main() {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap());
    let chunks: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let rt = tokio::runtime::Runtime::new().unwrap();
    let made = folder.join("identity.json").exists();
    let c = rt.block_on(Collection::open(&folder, "x", Identity::current("n", 2), Some(Arc::new(None_)))).unwrap();
    let mut cumulative = Vec::new(); let mut sum = 0.0; for r in 1..=WORDS { sum += 1.0 / r as f64; cumulative.push(sum); }
    let rank = |n: &mut N| { let x = n.share() * sum; cumulative.partition_point(|c| *c < x).min(WORDS - 1) };
    let mut n = N(7);
    if !made {
        let metadata = Metadata::new();
        let t = std::time::Instant::now();
        let mut batch = Vec::new();
        for d in 0..chunks / 10 {
            let id = DocumentId::of(&d.to_string());
            let mut cs = Vec::new(); 
            for o in 0..10u32 {
                let text = (0..120).map(|_| word(rank(&mut n))).collect::<Vec<_>>().join(" ");
                let ctx = ChunkContext { metadata: &metadata, principals: &[] };
                cs.push(Chunk { id: ChunkId::of(id, o, &text, &ctx), document: id, ordinal: o, heading_path: vec![], span: 0..0, text });
            }
            batch.push(Replacement { vectors: vec![vec![1.0, 0.0]; 10], chunks: cs, document: Document { id, uri: d.to_string(), title: "t".into(), text: String::new(), headings: vec![], metadata: metadata.clone(), principals: vec![], fingerprint: String::new() } });
            if batch.len() == 1000 { rt.block_on(c.publish(std::mem::take(&mut batch), vec![])).unwrap(); if d % 10000 == 9999 { println!("{d} {:?}", t.elapsed()); } }
        }
        rt.block_on(c.publish(batch, vec![])).unwrap();
        println!("built in {:?}", t.elapsed());
    }
    let query = |text: &str, typing: bool| Query::parse(QueryInput { text: text.into(), typing, ..Default::default() }, Reader::Principals(vec![])).unwrap();
    let mut m = N(99);
    let mut qs: Vec<Vec<String>> = Vec::new();
    for _ in 0..300 { let mut ws = Vec::new(); while ws.len() < 3 { let r = rank(&mut m); if r >= 100 { ws.push(word(r)); } } qs.push(ws); }
    for round in 0..2 {
        let mut t = Vec::new(); let mut u = Vec::new();
        for ws in &qs { let q = query(&ws.join(" "), false); let a = cpu(); let asked = c.understand(&q).unwrap(); let b = cpu(); c.lexical(&asked, 100).unwrap(); u.push(b - a); t.push(cpu() - a); }
        report(&format!("plain understand {round}"), u); report(&format!("plain {round}"), t);
    }
    let mut by: std::collections::BTreeMap<usize, (Vec<f64>, Vec<f64>)> = Default::default(); let mut all = Vec::new();
    for ws in qs.iter().take(60) {
        let whole = ws.join(" ");
        for end in 1..=whole.len() { if whole[..end].ends_with(' ') { continue; }
            let q = query(&whole[..end], true); let a = cpu(); let asked = c.understand(&q).unwrap(); let b = cpu(); c.lexical(&asked, 20).unwrap(); let e = cpu();
            let last = whole[..end].rsplit(' ').next().unwrap().len(); let slot = by.entry(last).or_default(); slot.0.push(b - a); slot.1.push(e - b); all.push(e - a);
        }
    }
    for (len, (u, s)) in by { report(&format!("typing {len} letters understand"), u); report(&format!("typing {len} letters search"), s); }
    report("typing all", all);
    let mut t = Vec::new(); let mut u = Vec::new();
    for ws in &qs { let mut w = ws.clone(); let l = w[0].len(); w[0].remove(l / 2); w[1].insert(3, 'e'); let q = query(&w.join(" "), false); let a = cpu(); let asked = c.understand(&q).unwrap(); let b = cpu(); c.lexical(&asked, 100).unwrap(); u.push(b - a); t.push(cpu() - a); }
    report("typos understand", u); report("typos", t);
    let mut t = Vec::new();
    for ws in &qs { let q = query(&format!("{} -{} \"{}\"", ws[0], ws[1], ws[2]), false); let a = cpu(); let asked = c.understand(&q).unwrap(); let hits = c.lexical(&asked, 100).unwrap(); let ids: Vec<_> = hits.iter().map(|h| h.chunk).collect(); c.confirm(&asked, &ids).unwrap(); t.push(cpu() - a); }
    report("strict", t);
}
