using System.Text;
using System.Text.Json;
using TorBalancer.Admin.Fetch;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Readiness;
using TorBalancer.Onion.Importing;

namespace TorBalancer.Fuzz.Targets;

/// <summary>Files that were written for other programs, and the requests that the daemon itself answers.</summary>
internal static class ForeignTextTargets
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <summary>Lines for a torrc: what is written again must be one line for tor, and mean the same.</summary>
    public static void Torrc(byte[] input)
    {
        var (lines, problem) = TorrcText.Parse(Encoding.Latin1.GetString(input));
        Expect.That(problem is null || lines.Count == 0, "nothing of a wrong text is used");
        foreach (string line in lines)
        {
            Expect.That(line.Length > 0 && !line.AsSpan().ContainsAny("\n\0"), "each option is one line");
            var (again, wrong) = TorrcText.Parse(line);
            Expect.That(wrong is null, $"an option that is written can be read: {wrong}");
            Expect.Same(string.Join('\n', again), line, "an option that is written is the same when it is read");
        }
    }

    /// <summary>Bridge lines.</summary>
    public static void Bridges(byte[] input)
    {
        var (bridges, problem) = BridgeText.ParseFile(Encoding.Latin1.GetString(input));
        Expect.Same(problem is null, bridges.Count > 0, "a file has bridges or a problem");
        foreach (var bridge in bridges)
        {
            Expect.That(BridgeText.TryParse(bridge.Text, out var again) is null, "a bridge that is written can be read");
            Expect.Same(again! with { Number = bridge.Number }, bridge, "a bridge that is written is the same when it is read");
            Expect.That(!bridge.Text.AsSpan().ContainsAny("\r\n\"\\#"), "a bridge is one line of a torrc");
        }
    }

    /// <summary>A configuration of Onionbalance (YAML).</summary>
    public static void Onionbalance(byte[] input)
    {
        string text = Encoding.UTF8.GetString(input);
        var read = OnionbalanceReader.Read(text, "/etc/onionbalance", out var errors, out var warnings);
        Expect.Same(read is null, errors.Count > 0, "a configuration is read, or it is said why not");
        Expect.That(errors.Concat(warnings).All(static one => one.Line > 0), "a problem has a line");
    }

    /// <summary>Bodies of the admin API (JSON): a fetch, a worker that is added and one that is changed.</summary>
    public static void Admin(byte[] input)
    {
        try
        {
            using var body = JsonDocument.Parse(input, Strict);
            CheckFetch(body.RootElement);
            foreach (bool needsId in (ReadOnlySpan<bool>)[false, true])
            {
                var request = WorkerRequest.Read(body.RootElement, needsId, out var problem);
                Expect.Same(request is null, problem is not null, "a request is read, or it is said why not");
                Expect.That(request is null || !needsId || request.Id is { Length: > 0 }, "a new worker has a name");
            }
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            // Both are answered with 400: it is no JSON, or has escapes that are no text.
        }
    }

    private static void CheckFetch(JsonElement body)
    {
        var (request, problem) = FetchRequestReader.Read(body);
        Expect.Same(request is null, problem is not null, "a request is read, or it is said why not");
        if (request is null)
            return;
        Expect.That(request.Url is { IsAbsoluteUri: true, Scheme: "http" or "https", UserInfo: "" }, "a URL is one that is fetched");
        Expect.That(request.Timeout > TimeSpan.Zero && request.Timeout <= TimeSpan.FromMinutes(10), "a time-out has its bounds");
        Expect.That(
            request.Headers.All(static one => one.Key.Length > 0 && one.Value.AsSpan().IndexOfAny("\r\n\0") < 0),
            "no header holds another one");
    }

    /// <summary>A GeoIP file: which of some countries it does not have is the same however it is read.</summary>
    public static void GeoIP(byte[] input)
    {
        string[] countries = ["de", "us", "??", "zz"];
        string text = Encoding.Latin1.GetString(input);
        using var reader = new StringReader(text);
        var missing = GeoIPFile.Missing(reader, countries);
        Expect.That(
            missing.SequenceEqual(countries.Where(one => !text.Contains("," + one, StringComparison.OrdinalIgnoreCase))),
            "a country is missing whose name does not stand behind a comma");
    }

    /// <summary>A question for readiness: it is answered as soon as its head has ended, and what comes behind it changes nothing.</summary>
    public static void Readiness(byte[] input)
    {
        ReadinessRequest? first = null;
        for (int length = 0; length <= input.Length && first is null; length++)
            first = ReadinessRequest.TryParse(input.AsSpan(0, length));
        var whole = ReadinessRequest.TryParse(input);
        Expect.Same(whole is null, first is null, "a head that has ended stays so");
        if (first is { } request)
            Expect.Same(whole!.Value, request, "a question is the same however it arrives");
    }
}
