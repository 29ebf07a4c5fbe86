"""Print the completion script of a shell."""

from __future__ import annotations

import click


@click.command(epilog="Example: mmload completion bash > ~/.local/share/bash-completion/completions/mmload")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete verbs, options and files.

    \b
    bash: mmload completion bash > ~/.local/share/bash-completion/completions/mmload
    zsh:  mmload completion zsh > "${fpath[1]}/_mmload"
    fish: mmload completion fish > ~/.config/fish/completions/mmload.fish
    """
    from click.shell_completion import get_completion_class

    from mmload.cli import program

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(program, {}, "mmload", "_MMLOAD_COMPLETE").source())
