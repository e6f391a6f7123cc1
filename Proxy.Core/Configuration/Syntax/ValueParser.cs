namespace TorBalancer.Configuration.Syntax;

/// <summary>What is wrong with a value.</summary>
/// <param name="What">A predicate, read behind the value: "is not a duration".</param>
/// <param name="Suggestion">What was probably meant; null: no idea.</param>
/// <param name="ShowAllowed">False where <paramref name="What"/> says it all and the list of what is allowed would mislead.</param>
/// <param name="Item">The item of a list that <paramref name="Suggestion"/> would take the place of; null: it takes the place of
/// the whole value.</param>
internal sealed record ValueProblem(string What, string? Suggestion = null, bool ShowAllowed = true, string? Item = null);

/// <summary>What a parser may want to know of a value's surroundings.</summary>
/// <param name="BaseDirectory">What a relative path is relative to: the file's directory, or the working directory.</param>
/// <param name="Home">The user's home directory for a leading ~/, or null.</param>
/// <param name="IsQuoted">Double quotes stood around the whole value: every character of it is meant.</param>
internal readonly record struct ValueContext(string BaseDirectory, string? Home, bool IsQuoted = false);

/// <summary>Parses one value; null: <paramref name="value"/> is set.</summary>
internal delegate ValueProblem? ValueParse<T>(string text, ValueContext context, out T value);

/// <summary>A kind of value: how it is parsed and, in words, what is allowed.</summary>
/// <param name="IsFree">It takes words that somebody made up (paths, commands, names), so that a password may be taken for one.</param>
internal sealed record ValueParser<T>(string Allowed, ValueParse<T> Parse, bool IsFree = false);
