using System.CommandLine;
using System.CommandLine.Completions;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// A command and what it takes, read from the table that parses the command line: the manual and the shells' completions are written
/// from it, so neither can say what the program does not know.
/// </summary>
/// <param name="Path">The words that call it, "testnet up"; empty for the program itself.</param>
/// <param name="Description">A sentence, with its full stop.</param>
/// <param name="Options">In the order of its help.</param>
/// <param name="Arguments">What stands behind it without a dash, in order.</param>
/// <param name="Children">Its commands.</param>
/// <param name="TakesKeys">True where every key of the configuration may be given as --Section:Key.</param>
internal sealed record CommandOutline(
    string Path, string Description, IReadOnlyList<OptionOutline> Options, IReadOnlyList<ValueOutline> Arguments,
    IReadOnlyList<CommandOutline> Children, bool TakesKeys)
{
    /// <summary>False where it only has commands that do something.</summary>
    public bool IsCallable { get; init; }

    /// <summary>The last word of <see cref="Path"/>.</summary>
    public string Name => Path[(Path.LastIndexOf(' ') + 1)..];

    /// <summary>This one and all below it, each before its children.</summary>
    public IEnumerable<CommandOutline> All => Children.SelectMany(static child => child.All).Prepend(this);

    /// <summary>The program with all that is not hidden.</summary>
    public static CommandOutline Of(RootCommand root) => Of(root, "", []);

    private static CommandOutline Of(Command command, string path, IReadOnlyList<Option> inherited)
    {
        Option[] recursive = [.. inherited, .. command.Options.Where(static option => option.Recursive)];
        var options = command.Options.Concat(inherited).Where(static option => !option.Hidden).Select(OptionOutline.Of);
        var children = command.Subcommands.Where(static child => !child.Hidden)
            .Select(child => Of(child, path.Length == 0 ? child.Name : $"{path} {child.Name}", recursive));
        return new CommandOutline(
            path, Sentence(command.Description), [.. options],
            [.. command.Arguments.Where(static argument => !argument.Hidden).Select(ValueOutline.Of)], [.. children],
            !command.TreatUnmatchedTokensAsErrors)
        {
            IsCallable = command.Action is not null,
        };
    }

    internal static IReadOnlyList<string> Words(Symbol symbol) =>
        [.. symbol.GetCompletions(CompletionContext.Empty).Select(static item => item.Label).Order(StringComparer.Ordinal)];

    internal static string Sentence(string? text) => string.IsNullOrEmpty(text) || text[^1] is '.' or ')' ? text ?? "" : text + ".";
}

/// <summary>An option of a command.</summary>
/// <param name="Name">The long one, with its dashes.</param>
/// <param name="Short">The one of a single letter, or null.</param>
/// <param name="Description">A sentence, with its full stop.</param>
/// <param name="Value">What stands behind it; null: nothing.</param>
/// <param name="Default">What holds without it, as it would be written; null: nothing, or what the description says.</param>
internal sealed record OptionOutline(string Name, string? Short, string Description, ValueOutline? Value, string? Default)
{
    /// <summary>All spellings.</summary>
    public IEnumerable<string> Spellings => Short is null ? [Name] : [Short, Name];

    public static OptionOutline Of(Option option)
    {
        bool isSwitch = option.Arity.MaximumNumberOfValues == 0 || option.ValueType == typeof(bool);
        return new OptionOutline(
            option.Name,
            option.Aliases.FirstOrDefault(static alias => alias.Length == 2 && char.IsAsciiLetter(alias[1])),
            CommandOutline.Sentence(option.Description),
            isSwitch ? null : new ValueOutline(option.HelpName ?? "VALUE", CommandOutline.Words(option), IsOptional: false),
            !isSwitch && option.HasDefaultValue ? option.GetDefaultValue()?.ToString() : null);
    }
}

/// <summary>A value on the command line.</summary>
/// <param name="Name">FILE, alone or behind a |, and DIR are paths; other names are free.</param>
/// <param name="Words">What may stand there; none: anything.</param>
/// <param name="IsOptional">True when it may be left out.</param>
/// <param name="IsRepeated">True when several may stand there.</param>
internal sealed record ValueOutline(string Name, IReadOnlyList<string> Words, bool IsOptional, bool IsRepeated = false)
{
    /// <summary>What <c>torbalancer words</c> calls the words that only a running daemon knows, such as its workers; null: none.</summary>
    public string? Live => WordsCommand.KindOf(Name);

    /// <summary>What it means, a sentence; empty for an option's, which says it itself.</summary>
    public string Description { get; init; } = "";

    /// <summary>As it is written in a call: [NAME], NAME..., a|b.</summary>
    public string Call(Func<string, string> word)
    {
        string choice = Words.Count > 0 ? string.Join("|", Words.Select(word)) : Name;
        return (IsOptional ? $"[{choice}]" : choice) + (IsRepeated ? "..." : "");
    }

    public static ValueOutline Of(Argument argument) => new(
        argument.HelpName ?? argument.Name, CommandOutline.Words(argument),
        argument.HasDefaultValue || argument.Arity.MinimumNumberOfValues == 0, argument.Arity.MaximumNumberOfValues > 1)
    {
        Description = CommandOutline.Sentence(argument.Description),
    };

    public bool IsFile => Name == "FILE" || Name.EndsWith("|FILE", StringComparison.Ordinal);

    public bool IsDirectory => Name == "DIR";
}
