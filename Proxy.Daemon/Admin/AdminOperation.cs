namespace TorBalancer.Daemon.Admin;

/// <summary>What GET /api/v1/openapi.json says of a route. Every route has one among its metadata.</summary>
/// <param name="Id">A name of its own, as programs make methods of it.</param>
/// <param name="Summary">What it does, in a sentence.</param>
internal sealed record AdminOperation(string Id, string Summary)
{
    /// <summary>The status of success.</summary>
    public int AnswerStatus { get; init; } = 200;

    /// <summary>
    /// What a success holds, one of <see cref="AdminJson"/>'s types, of which more is made when it is asked for. Null: see
    /// <see cref="AnswerSchema"/>.
    /// </summary>
    public Type? Answer { get; init; }

    /// <summary>A JSON schema of what a 200 holds, where no type has it.</summary>
    public string? AnswerSchema { get; init; }

    /// <summary>A JSON schema of the body; null: there is none.</summary>
    public string? BodySchema { get; init; }

    /// <summary>The media type of a 200.</summary>
    public string AnswerType { get; init; } = "application/json";

    /// <summary>Its parameters; those of the path are found by themselves.</summary>
    public IReadOnlyList<AdminParameter> Parameters { get; init; } = [];

    /// <summary>The statuses of errors beside those that any request may get.</summary>
    public IReadOnlyList<int> Problems { get; init; } = [];
}

/// <summary>One parameter of a route.</summary>
/// <param name="Place">query or header.</param>
/// <param name="Description">What it means and what may stand there.</param>
/// <param name="IsRequired">True when it cannot be left out.</param>
/// <param name="Allowed">The words, where it is a choice.</param>
internal sealed record AdminParameter(
    string Name, string Description, string Place = "query", bool IsRequired = false, IReadOnlyList<string>? Allowed = null);
