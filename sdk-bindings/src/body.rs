//! What the body of a request or of an answer is, by its content type.

/// How a body is given to a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value.
    Json,
    /// A string, where it is UTF-8.
    Text,
    /// A blob.
    Octets,
}

impl Kind {
    /// The kind of a body of this content type; "" for none.
    pub fn of(content_type: &str) -> Self {
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "application/json" => Self::Json,
            "application/x-www-form-urlencoded" | "application/xml" => Self::Text,
            other if other.ends_with("+json") => Self::Json,
            other if other.starts_with("text/") || other.ends_with("+xml") => Self::Text,
            _ => Self::Octets,
        }
    }
}
