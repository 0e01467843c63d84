//! Server-sent events as a test looks at them.

use serde_json::Value;

/// Server-sent events by name, in order.
#[derive(Debug)]
pub struct Events(Vec<(String, Value)>);

impl Events {
    /// Reads a whole stream.
    pub fn read(text: &str) -> Self {
        let frame = |frame: &str| {
            let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
            let data = serde_json::from_str(field("data: ")?).unwrap();
            Some((field("event: ")?.to_owned(), data))
        };
        Self(text.split("\n\n").filter_map(frame).collect())
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The data of the event at that place.
    pub fn at(&self, place: usize) -> &Value {
        &self.0[place].1
    }

    /// The data of the events of that name.
    pub fn all(&self, name: &str) -> Vec<&Value> {
        let found = self.0.iter().filter(|(own, _)| own == name);
        found.map(|(_, data)| data).collect()
    }

    /// The data of the only event of that name.
    pub fn data(&self, name: &str) -> &Value {
        let found = self.all(name);
        assert_eq!(found.len(), 1, "`{name}` in {:?}", self.names());
        found[0]
    }

    /// The answer's text.
    pub fn text(&self) -> String {
        let texts = self.0.iter().filter(|(name, _)| name == "text");
        texts.map(|(_, data)| data["delta"].as_str().unwrap()).collect()
    }
}
