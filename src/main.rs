//! Arguments in, exit code out.

use clap::Parser;
use miglink::run::arguments::{Arguments, Command, ConfigCommand};
use miglink::run::config::Config;
use miglink::run::{check, explain, migrations, predict, serve};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (result, failure) = match arguments.command {
        None => (serve::run(&arguments.run).map(|()| 0), 1),
        Some(Command::Run(run)) => (serve::run(&run).map(|()| 0), 1),
        // What was found is an answer of its own, so failures have another code.
        Some(Command::Check(arguments)) => (check::run(&arguments).map(u8::from), 2),
        Some(Command::Predict(arguments)) => {
            (predict::run(&arguments).map(|converges| u8::from(!converges)), 2)
        }
        Some(Command::Migrations(arguments)) => (migrations::run(&arguments).map(|()| 0), 2),
        Some(Command::Explain(arguments)) => (explain::run(&arguments).map(|()| 0), 2),
        Some(Command::Config(ConfigCommand::Check { file })) => {
            let result = Config::read(&file).map(|_| println!("{} is valid.", file.display()));
            (result.map(|()| 0), 1)
        }
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("miglink: {error:#}");
            ExitCode::from(failure)
        }
    }
}
