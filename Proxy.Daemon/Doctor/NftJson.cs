using System.Text.Json;

namespace TorBalancer.Daemon.Doctor;

/// <summary>Reading what nft writes (libnftables-json(5)).</summary>
internal static class NftJson
{
    /// <summary>A member that is a string; null: there is none.</summary>
    public static string? Text(JsonElement item, string name) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString() : null;

    /// <summary>The one member of an object: nft writes each expression and each statement as one.</summary>
    public static (string Name, JsonElement Value) One(JsonElement item)
    {
        if (item.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in item.EnumerateObject())
                return (member.Name, member.Value);
        }

        return ("", default);
    }

    /// <summary>A member of an object; an element of no kind where there is none.</summary>
    public static JsonElement Member(JsonElement item, string name) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(name, out var value) ? value : default;

    /// <summary>The elements of an array; none of anything else.</summary>
    public static IEnumerable<JsonElement> Items(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : [];

    /// <summary>
    /// What an expression may give: a word or number, both ends of a range, a network's address, the values of a map, and what stands first
    /// of several things together.
    /// </summary>
    /// <param name="setOf">The elements of a named map; null: they are not known.</param>
    public static IEnumerable<string> Results(JsonElement value, Func<string, JsonElement?> setOf)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return Words(value);
        var (kind, of) = One(value);
        return kind switch
        {
            "range" => Words(of),
            "prefix" => Words(Member(of, "addr")),
            "concat" => Items(of).Take(1).SelectMany(first => Results(first, setOf)),
            "map" => ValuesOf(Member(of, "data")).SelectMany(one => Results(one, setOf)),
            _ => Words(value),
        };

        IEnumerable<JsonElement> ValuesOf(JsonElement data) =>
            Items(data.ValueKind == JsonValueKind.String ? setOf(data.GetString()!.TrimStart('@')) ?? default : Member(data, "set"))
                .Where(static pair => pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2)
                .Select(static pair => pair[1]);
    }

    /// <summary>One word or number, or those of a set; not those of ranges.</summary>
    public static IEnumerable<string> Words(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Number => [value.GetRawText()],
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Words),
        JsonValueKind.Object when One(value) is { Name: "set" or "elem" or "val" } one => Words(one.Value),
        _ => [],
    };
}
