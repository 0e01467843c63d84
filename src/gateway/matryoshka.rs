//! Vectors of which only the first numbers are kept. Models that were trained for it put what matters there (Kusupati
//! et al. 2022, Matryoshka representations); others lose more than memory.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Embedded, Embedder, TextKind};
use crate::error::{Error, Result};

/// An embedder with shorter vectors.
pub struct Shortened {
    whole: Arc<dyn Embedder>,
    name: String,
    dimension: usize,
}

impl Shortened {
    /// The first `dimension` numbers of what `whole` gives; it gives no fewer.
    pub fn new(whole: Arc<dyn Embedder>, dimension: NonZeroUsize) -> Result<Self> {
        let (name, has, dimension) = (whole.name(), whole.dimension(), dimension.get());
        if dimension > has {
            let detail = format!(
                "the vectors of `{name}` have {has} numbers; `dimension` of [embedding] may not be {dimension}"
            );
            return Err(Error::bad_input("", detail));
        }
        // Its vectors are others than those of the whole model: an index of one is not searched with the other.
        let name = format!("{name}@{dimension}");
        Ok(Self { whole, name, dimension })
    }

    fn shorten(&self, embedded: &Embedded) -> Embedded {
        let tokens = embedded.tokens.chunks_exact(self.whole.dimension());
        Embedded {
            tokens: tokens.flat_map(|token| shorten(token, self.dimension)).collect(),
            vector: shorten(&embedded.vector, self.dimension),
        }
    }
}

/// The first numbers, of length 1 again.
fn shorten(vector: &[f32], dimension: usize) -> Vec<f32> {
    let first = &vector[..dimension.min(vector.len())];
    let length = first.iter().map(|number| number * number).sum::<f32>().sqrt();
    first
        .iter()
        .map(|number| number / length.max(f32::MIN_POSITIVE))
        .collect()
}

impl Embedder for Shortened {
    fn name(&self) -> &str {
        &self.name
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            let vectors = self.whole.embed(texts, kind).await?;
            Ok(vectors.iter().map(|vector| shorten(vector, self.dimension)).collect())
        })
    }

    fn embed_tokens(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Embedded>>> {
        Box::pin(async move {
            let embedded = self.whole.embed_tokens(texts, kind).await?;
            Ok(embedded.iter().map(|one| self.shorten(one)).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the same to every text.
    struct Fixed;

    impl Embedder for Fixed {
        fn name(&self) -> &'static str {
            "fixed"
        }

        fn dimension(&self) -> usize {
            3
        }

        fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
            Box::pin(async move {
                let embedded = self.embed_tokens(texts, kind).await?;
                Ok(embedded.into_iter().map(|one| one.vector).collect())
            })
        }

        fn embed_tokens(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, Result<Vec<Embedded>>> {
            let one = Embedded {
                vector: vec![0.48, 0.36, 0.8],
                tokens: vec![0.0, 0.6, 0.8, 0.0, 0.0, 1.0],
            };
            Box::pin(std::future::ready(Ok(vec![one; texts.len()])))
        }
    }

    #[tokio::test]
    async fn the_first_numbers_are_kept_at_length_one() {
        let short = Shortened::new(Arc::new(Fixed), NonZeroUsize::new(2).unwrap()).unwrap();
        assert_eq!((short.name(), short.dimension()), ("fixed@2", 2));
        let texts = || vec!["a".to_owned()];
        let embedded = short.embed_tokens(texts(), TextKind::Query).await.unwrap();
        let rounded = |numbers: &[f32]| numbers.iter().map(|n| (n * 10.0).round() / 10.0).collect::<Vec<_>>();
        assert_eq!(rounded(&embedded[0].vector), [0.8, 0.6]);
        assert_eq!(
            rounded(&embedded[0].tokens),
            [0.0, 1.0, 0.0, 0.0],
            "one token each, also of none of the numbers"
        );
        let vectors = short.embed(texts(), TextKind::Passage).await.unwrap();
        assert_eq!(vectors, [embedded[0].vector.clone()]);
    }

    #[test]
    fn more_numbers_than_there_are_is_an_error_that_says_how_many() {
        let Err(error) = Shortened::new(Arc::new(Fixed), NonZeroUsize::new(4).unwrap()) else {
            panic!("it has four");
        };
        assert!(error.to_string().contains("have 3 numbers"), "{error}");
    }
}
