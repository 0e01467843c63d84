//! The synthetic set: texts of Zipf-distributed words, unit vectors in clusters or at random, queries and their truth.
//!
//! A folder holds `set.json`, `texts.jsonl` (a JSON string a chunk), `vectors.f32` (little-endian), `queries.jsonl`,
//! `queries.f32` and for each selection `truth-*.u32`: the exact ten nearest chunks of each query. The peers of
//! benches/peers/hybrid.py read the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Numbers in a vector.
pub const DIMENSION: usize = 384;
/// Neighbours of the truth.
pub const NEAREST: usize = 10;
/// Chunks of one document.
pub const PER_DOCUMENT: usize = 10;

const WORDS: usize = 50_000;
const WORDS_OF_A_CHUNK: usize = 120;
const WORDS_OF_A_QUERY: usize = 3;
/// The most frequent words stand for the stop words of a language: texts have them, queries do not.
const STOP_WORDS: usize = 100;

/// What was generated.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub chunks: usize,
    pub queries: usize,
    pub vectors: Shape,
    pub seed: u64,
}

/// How the vectors lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Around centres, as embeddings of real texts do: cosine .64 within a cluster.
    Clustered,
    /// Uniform on the sphere, the worst case of every graph.
    Random,
}

/// Which chunks a search may find: every document with `field` = `0` of that many values.
pub const SELECTIONS: &[(&str, usize)] = &[("all", 1), ("hundredth", 100), ("tenth", 10), ("half", 2)];

/// The facts of a document; each field selects its share.
pub fn facts(document: usize) -> BTreeMap<String, serde_json::Value> {
    let fields = SELECTIONS.iter().skip(1);
    fields
        .map(|(name, of)| ((*name).to_owned(), (document % of).to_string().into()))
        .collect()
}

/// Numbers that look random and are the same every time (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// From 0 to 1, never 0.
    fn share(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 1.0) / (1u64 << 53) as f64
    }

    /// Of length 1, uniform on the sphere (Box and Muller's normal numbers).
    fn direction(&mut self) -> Vec<f32> {
        let mut vector = Vec::with_capacity(DIMENSION);
        while vector.len() < DIMENSION {
            let (radius, angle) = ((-2.0 * self.share().ln()).sqrt(), std::f64::consts::TAU * self.share());
            vector.extend([(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]);
        }
        unit(vector)
    }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    for x in &mut vector {
        *x /= length;
    }
    vector
}

/// Words by rank, and the chance of a word to be of that rank or a more frequent one.
struct Language(Vec<f64>);

impl Language {
    fn new() -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=WORDS)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        for chance in &mut cumulative {
            *chance /= sum;
        }
        Self(cumulative)
    }

    fn rank(&self, numbers: &mut Numbers) -> usize {
        let chance = numbers.share();
        self.0.partition_point(|upto| *upto < chance).min(WORDS - 1)
    }

    /// Three syllables that neither stemmer nor tokenizer changes, not in the order of the ranks.
    fn word(rank: usize) -> String {
        const CONSONANTS: &[u8] = b"bcdfghjklmnpqrstvwxz";
        const VOWELS: &[u8] = b"aiou";
        let mut number = rank * 271_829 % 512_000;
        let mut word = String::with_capacity(6);
        for _ in 0..3 {
            word.push(CONSONANTS[number % 20] as char);
            word.push(VOWELS[number / 20 % 4] as char);
            number /= 80;
        }
        word
    }
}

/// Writes the whole folder.
pub fn generate(folder: &Path, set: &Set) {
    std::fs::create_dir_all(folder).unwrap();
    let mut numbers = Numbers(set.seed);
    let (language, places) = (Language::new(), Places::new(set, &mut numbers));
    let mut texts = create(folder, "texts.jsonl");
    let mut vectors = create(folder, "vectors.f32");
    let mut queries: Vec<String> = Vec::new();
    let every = (set.chunks / set.queries).max(1);
    for at in 0..set.chunks {
        let ranks: Vec<usize> = (0..WORDS_OF_A_CHUNK).map(|_| language.rank(&mut numbers)).collect();
        let words: Vec<String> = ranks.iter().map(|rank| Language::word(*rank)).collect();
        writeln!(texts, "\"{}\"", words.join(" ")).unwrap();
        write_vector(&mut vectors, &places.vector(&mut numbers));
        if at % every == 0 {
            let asked: BTreeSet<usize> = ranks.into_iter().filter(|rank| *rank >= STOP_WORDS).collect();
            let asked: Vec<String> = asked.into_iter().map(Language::word).collect();
            // Evenly over the ranks: frequent, middling and rare words.
            let step = (asked.len() / WORDS_OF_A_QUERY).max(1);
            let text: Vec<String> = asked.into_iter().step_by(step).take(WORDS_OF_A_QUERY).collect();
            let text = text.join(" ");
            // The vectors are given by text, so no two are the same.
            if queries.len() < set.queries && !queries.contains(&text) {
                queries.push(text);
            }
        }
    }
    let set = Set {
        queries: queries.len(),
        ..set.clone()
    };
    let mut asked = create(folder, "queries.f32");
    let mut words = create(folder, "queries.jsonl");
    for text in &queries {
        writeln!(words, "\"{text}\"").unwrap();
        write_vector(&mut asked, &places.vector(&mut numbers));
    }
    for file in [&mut texts, &mut vectors, &mut asked, &mut words] {
        file.flush().unwrap();
    }
    serde_json::to_writer_pretty(File::create(folder.join("set.json")).unwrap(), &set).unwrap();
    write_truth(folder, &set);
}

/// Where the vectors of a set lie.
struct Places {
    centres: Vec<Vec<f32>>,
}

impl Places {
    fn new(set: &Set, numbers: &mut Numbers) -> Self {
        let count = match set.vectors {
            Shape::Random => 0,
            // 949 clusters of 105 at 100,000; 3,000 of 333 at a million.
            Shape::Clustered => (3.0 * (set.chunks as f64).sqrt()) as usize,
        };
        Self {
            centres: (0..count).map(|_| numbers.direction()).collect(),
        }
    }

    fn vector(&self, numbers: &mut Numbers) -> Vec<f32> {
        let noise = numbers.direction();
        if self.centres.is_empty() {
            return noise;
        }
        let centre = &self.centres[numbers.below(self.centres.len())];
        unit(centre.iter().zip(noise).map(|(x, noise)| x + 0.75 * noise).collect())
    }
}

/// The exact neighbours of each query, for each selection.
fn write_truth(folder: &Path, set: &Set) {
    let queries = read_vectors(folder, "queries.f32");
    let mut best: Vec<Vec<Vec<(f32, u32)>>> = vec![vec![Vec::new(); queries.len()]; SELECTIONS.len()];
    let mut vectors = Vectors::open(folder);
    for chunk in 0..set.chunks {
        let vector = vectors.next();
        for (at, query) in queries.iter().enumerate() {
            let score = dot(query, &vector);
            for (selection, (_, of)) in SELECTIONS.iter().enumerate() {
                if (chunk / PER_DOCUMENT).is_multiple_of(*of) {
                    insert(&mut best[selection][at], (score, chunk as u32));
                }
            }
        }
    }
    for (found, (name, _)) in best.iter().zip(SELECTIONS) {
        let mut file = create(folder, &format!("truth-{name}.u32"));
        for (_, chunk) in found.iter().flatten() {
            file.write_all(&chunk.to_le_bytes()).unwrap();
        }
        file.flush().unwrap();
    }
}

fn insert(best: &mut Vec<(f32, u32)>, candidate: (f32, u32)) {
    if best.len() == NEAREST && best[NEAREST - 1].0 >= candidate.0 {
        return;
    }
    let at = best.partition_point(|(score, _)| *score >= candidate.0);
    best.insert(at, candidate);
    best.truncate(NEAREST);
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    for (left, right) in left.chunks_exact(16).zip(right.chunks_exact(16)) {
        for at in 0..16 {
            sums[at] += left[at] * right[at];
        }
    }
    sums.iter().sum()
}

/// The vectors of a set, one after the other.
pub struct Vectors(BufReader<File>);

impl Vectors {
    pub fn open(folder: &Path) -> Self {
        Self(BufReader::with_capacity(
            1 << 20,
            File::open(folder.join("vectors.f32")).unwrap(),
        ))
    }

    pub fn next(&mut self) -> Vec<f32> {
        let mut bytes = [0; DIMENSION * 4];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect()
    }
}

pub fn read_set(folder: &Path) -> Set {
    serde_json::from_slice(&std::fs::read(folder.join("set.json")).unwrap()).unwrap()
}

pub fn read_lines(folder: &Path, name: &str) -> impl Iterator<Item = String> {
    let lines = BufReader::new(File::open(folder.join(name)).unwrap()).lines();
    lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

pub fn read_vectors(folder: &Path, name: &str) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let numbers = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    numbers
        .collect::<Vec<f32>>()
        .chunks(DIMENSION)
        .map(<[f32]>::to_vec)
        .collect()
}

/// The truth of each query.
pub fn read_truth(folder: &Path, selection: &str) -> Vec<Vec<u32>> {
    let bytes = std::fs::read(folder.join(format!("truth-{selection}.u32"))).unwrap();
    let chunks = bytes
        .chunks_exact(4)
        .map(|four| u32::from_le_bytes(four.try_into().unwrap()));
    chunks
        .collect::<Vec<u32>>()
        .chunks(NEAREST)
        .map(<[u32]>::to_vec)
        .collect()
}

fn create(folder: &Path, name: &str) -> BufWriter<File> {
    BufWriter::with_capacity(1 << 20, File::create(folder.join(name)).unwrap())
}

fn write_vector(file: &mut BufWriter<File>, vector: &[f32]) {
    for number in vector {
        file.write_all(&number.to_le_bytes()).unwrap();
    }
}
