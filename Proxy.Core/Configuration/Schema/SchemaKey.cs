using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Schema;

/// <summary>One row of the table of keys: what a user must know of it.</summary>
/// <param name="name">The key as documented; users may write it in any letter case.</param>
/// <param name="allowed">What may stand there, in words.</param>
/// <param name="defaultText">What the key has when it is left out, as it would be written; empty: nothing.</param>
/// <param name="description">One line.</param>
/// <param name="isSecret">The value never appears in a message.</param>
/// <param name="isFree">See <see cref="ValueParser{T}"/>.</param>
/// <param name="check">What is wrong with a value; null: nothing.</param>
internal abstract class SchemaKey(
    string name, string allowed, string defaultText, string description, bool isSecret, bool isFree,
    Func<string, ValueContext, ValueProblem?> check)
{
    public string Name { get; } = name;

    public string Allowed { get; } = allowed;

    public string Default { get; } = defaultText;

    public string Description { get; } = description;

    public bool IsSecret { get; } = isSecret;

    /// <summary>True where a value may be any text: what is not surely a value of this key is not repeated as one.</summary>
    public bool IsFree { get; } = isFree;

    /// <summary>
    /// True when the daemon reads it at its start and not again: a reload names it and leaves it as it is. All others are live.
    /// </summary>
    public bool NeedsRestart { get; init; }

    /// <summary>Judges a value and puts it nowhere: what a message suggests is tried here first.</summary>
    public Func<string, ValueContext, ValueProblem?> Check { get; } = check;
}

/// <summary>A row with the code that puts its value into place; null: done.</summary>
internal sealed class SchemaKey<TTarget>(
    string name, string allowed, string defaultText, string description, bool isSecret, bool isFree,
    Func<TTarget, string, ValueContext, ValueProblem?> apply, Func<string, ValueContext, ValueProblem?> check)
    : SchemaKey(name, allowed, defaultText, description, isSecret, isFree, check)
{
    public Func<TTarget, string, ValueContext, ValueProblem?> Apply { get; } = apply;
}
