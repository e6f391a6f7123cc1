using System.Text.Json;
using TorBalancer.Admin.Fetch;
using TorBalancer.Configuration.Schema;

namespace TorBalancer.Daemon.Admin;

/// <summary>The body of POST and PATCH /api/v1/workers.</summary>
/// <param name="Id">The worker; null in a body that has none.</param>
/// <param name="Keys">Keys of its section, as the schema spells them.</param>
/// <param name="Save">Whether the change is to outlast the next reload.</param>
internal sealed record WorkerRequest(string? Id, IReadOnlyList<KeyValuePair<string, string>> Keys, bool Save)
{
    private const string IdMember = "id", SaveMember = "save";

    // The modes play no part in a worker's section.
    private static readonly SchemaSection Section = new ConfigurationSchema([]).Worker;

    /// <summary>
    /// Members are the keys of a [Worker:…] section, as there or as snake_case, in any letter case; values are texts, numbers, booleans or
    /// lists of texts. Values are not judged here.
    /// </summary>
    /// <returns>Null with what is wrong.</returns>
    public static WorkerRequest? Read(JsonElement body, bool needsId, out FieldProblem? problem)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            problem = new FieldProblem(null, $"the body must be a JSON object, not {FieldProblem.Kind(body)}");
            return null;
        }

        string? id = null;
        bool save = false;
        var keys = new List<KeyValuePair<string, string>>();
        foreach (var member in body.EnumerateObject())
        {
            problem = member.Name switch
            {
                IdMember when needsId => ReadId(member.Value, out id),
                SaveMember => ReadSave(member.Value, out save),
                _ => ReadKey(member, needsId, keys),
            };
            if (problem is not null)
                return null;
        }

        problem = needsId && id is null ? new FieldProblem(IdMember, "id is required: the name that the worker is to have") : null;
        return problem is null ? new WorkerRequest(id, keys, save) : null;
    }

    private static FieldProblem? ReadId(JsonElement value, out string? id)
    {
        id = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        return id is { Length: > 0 }
            ? null
            : new FieldProblem(IdMember, $"id must be a text that is not empty, not {FieldProblem.Kind(value)}");
    }

    private static FieldProblem? ReadSave(JsonElement value, out bool save)
    {
        save = value.ValueKind == JsonValueKind.True;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? null
            : new FieldProblem(SaveMember, $"save must be true or false, not {FieldProblem.Kind(value)}");
    }

    private static FieldProblem? ReadKey(JsonProperty member, bool withId, List<KeyValuePair<string, string>> keys)
    {
        string name = member.Name.Replace("_", "", StringComparison.Ordinal);
        if (Section.Find(name) is not { } key)
        {
            string[] all = [.. withId ? [IdMember] : (string[])[], .. Section.Keys.Select(static one => one.Name), SaveMember];
            return new FieldProblem(member.Name, $"a worker has no key '{member.Name}'", all);
        }

        if (keys.Exists(one => one.Key == key.Name))
            return new FieldProblem(member.Name, $"{key.Name} is given twice");
        if (member.Value.ValueKind == JsonValueKind.Null)
            return null;
        if (Text(member.Value) is not { } text)
        {
            return new FieldProblem(
                member.Name, $"{member.Name} must be a text, a number or a list of texts, not {FieldProblem.Kind(member.Value)}");
        }

        keys.Add(new(key.Name, text));
        return null;
    }

    private static string? Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "yes",
        JsonValueKind.False => "no",
        JsonValueKind.Array when value.EnumerateArray().All(static one => one.ValueKind == JsonValueKind.String) =>
            string.Join(", ", value.EnumerateArray().Select(static one => one.GetString())),
        _ => null,
    };
}
