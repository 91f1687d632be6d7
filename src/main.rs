//! Arguments in, exit code out.

use clap::Parser;
use miglink::run::arguments::{Arguments, Command, ConfigCommand};
use miglink::run::config::Config;
use miglink::run::serve;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        None => serve::run(&arguments.run),
        Some(Command::Run(run)) => serve::run(&run),
        Some(Command::Config(ConfigCommand::Check { file })) => Config::read(&file).map(|_| {
            println!("{} is valid.", file.display());
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("miglink: {error:#}");
            ExitCode::FAILURE
        }
    }
}
