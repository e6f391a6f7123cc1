namespace TorBalancer.Configuration;

/// <summary>One row of the table of keys: what a user must know of it.</summary>
/// <param name="name">The key as documented; users may write it in any letter case.</param>
/// <param name="allowed">What may stand there, in words.</param>
/// <param name="defaultText">What the key has when it is left out, as it would be written; empty: nothing.</param>
/// <param name="description">One line.</param>
/// <param name="isSecret">The value never appears in a message.</param>
internal abstract class SchemaKey(string name, string allowed, string defaultText, string description, bool isSecret)
{
    public string Name { get; } = name;

    public string Allowed { get; } = allowed;

    public string Default { get; } = defaultText;

    public string Description { get; } = description;

    public bool IsSecret { get; } = isSecret;
}

/// <summary>A row with the code that puts its value into place; null: done.</summary>
internal sealed class SchemaKey<TTarget>(
    string name, string allowed, string defaultText, string description, bool isSecret, Func<TTarget, string, ValueContext, ValueProblem?> apply)
    : SchemaKey(name, allowed, defaultText, description, isSecret)
{
    public Func<TTarget, string, ValueContext, ValueProblem?> Apply { get; } = apply;
}
