//! Standard output of the commands that write and end: a reader that has gone away is no failure.

use std::io::{self, ErrorKind, Write};

/// Where a command writes. What comes after its reader has gone (`paifang crds | head`) is dropped,
/// so that the command ends as it would have; any other failure says that it is about the output.
#[derive(Debug)]
pub struct Output<W> {
    to: W,
    gone: bool,
}

impl<W: Write> Output<W> {
    /// Writes to `to`.
    pub const fn new(to: W) -> Self {
        Self { to, gone: false }
    }

    fn settle<T>(&mut self, result: io::Result<T>, dropped: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(dropped)
            }
            // Whoever writes in a loop tries again, and has to see the kind.
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                Err(io::Error::new(error.kind(), format!("standard output cannot be written: {error}")))
            }
            result => result,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.gone {
            return Ok(bytes.len());
        }
        let written = self.to.write(bytes);
        self.settle(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gone {
            return Ok(());
        }
        let flushed = self.to.flush();
        self.settle(flushed, ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some bytes, then fails in one way.
    struct Failing(usize, ErrorKind);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.min(bytes.len()) {
                0 => Err(self.1.into()),
                taken => {
                    self.0 -= taken;
                    Ok(taken)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            if self.0 == 0 { Err(self.1.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let mut out = Output::new(Failing(3, ErrorKind::BrokenPipe));
        assert!(out.write_all(b"four").is_ok());
        assert!(out.write_all(b"more").is_ok());
        assert!(out.flush().is_ok());
    }

    #[test]
    fn any_other_failure_is_told_and_names_the_output() {
        let mut out = Output::new(Failing(3, ErrorKind::StorageFull));
        let error = out.write_all(b"four").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("standard output cannot be written: "), "{error}");
    }
}
