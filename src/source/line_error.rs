//! What is wrong with a text, told by a parser that does not know which file it is from.

use super::contract::SourceError;
use std::path::Path;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// The line, from 1; 0 for the text as a whole.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl LineError {
    /// Says it of a line, counted from 0.
    pub fn at(index: usize, problem: impl Into<String>) -> Self {
        Self { line: index + 1, problem: problem.into() }
    }

    /// Says it of the whole text.
    pub fn of_all(problem: impl Into<String>) -> Self {
        Self { line: 0, problem: problem.into() }
    }

    /// The same with the file's path.
    pub fn in_file(self, path: &Path) -> SourceError {
        SourceError::Format { what: path.display().to_string(), line: self.line, problem: self.problem }
    }
}
