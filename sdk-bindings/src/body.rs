//! How a script gets the body of a request or response, by its content type.

/// The text without a byte order mark in front, which Windows programs write.
pub fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The type a body has in a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The parsed JSON value.
    Json,
    /// A string, if it is valid UTF-8.
    Text,
    /// A blob.
    Octets,
}

impl Kind {
    /// The kind for this content type; "" if there is none.
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
