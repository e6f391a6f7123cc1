using System.Text.Json;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Client;

/// <summary>
/// Reads answers of a daemon that may be older or newer than this program: what is not there is null, and nothing else is the matter.
/// </summary>
internal static class JsonReading
{
    public static string? Text(this JsonElement element, string name) =>
        element.Member(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : value.ValueKind is JsonValueKind.Null ? null : value.GetRawText();

    public static double? Number(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetDouble(out double number) ? number : null;

    public static long? Whole(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out long number) ? number : null;

    public static bool? Flag(this JsonElement element, string name) =>
        element.Member(name)?.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null };

    /// <summary>The members of an array; none where there is no array.</summary>
    public static IEnumerable<JsonElement> Items(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Array } value ? value.EnumerateArray() : [];

    /// <summary>The texts of an array.</summary>
    public static IEnumerable<string> Texts(this JsonElement element, string name) => element.Items(name)
        .Select(static item => item.ValueKind == JsonValueKind.String ? item.GetString()! : item.GetRawText());

    /// <summary>Texts, mistakes with their place, or keys with what they had and have: a line each, for people.</summary>
    public static List<string> Lines(this JsonElement element, string name) =>
        [.. element.Items(name).Select(Line).Select(Printable.Of)];

    public static JsonElement? Member(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : null;

    private static string Line(JsonElement one)
    {
        if (one.ValueKind == JsonValueKind.String)
            return one.GetString()!;
        if (one.Text("message") is { } message)
            return one.Text("origin") is { } origin ? $"{origin}: {message}" : message;
        return $"[{one.Text("section")}] {one.Text("key")}: {one.Text("old") ?? "(not there)"} -> {one.Text("new") ?? "(not there)"}";
    }
}
