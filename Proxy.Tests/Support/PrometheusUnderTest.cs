using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace TorBalancer.Tests.Support;

/// <summary>A real Prometheus that scrapes one daemon each second and knows alert rules; on loopback, in a directory of its own.</summary>
internal sealed class PrometheusUnderTest : IAsyncDisposable
{
    private readonly ForegroundProcess _process;
    private readonly string _directory;
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });
    private readonly string _base;

    private PrometheusUnderTest(ForegroundProcess process, string directory, int port) =>
        (_process, _directory, _base) = (process, directory, $"http://127.0.0.1:{port}");

    /// <param name="target">host:port of the admin API.</param>
    /// <param name="rules">A file of rules, as it is to be loaded.</param>
    public static async Task<PrometheusUnderTest> StartAsync(string target, string rules, CancellationToken token)
    {
        string program = ClientProcess.Require("prometheus");
        string directory = Directory.CreateTempSubdirectory("tbprom").FullName;
        await File.WriteAllTextAsync(Path.Combine(directory, "rules.yml"), rules, token);
        await File.WriteAllTextAsync(Path.Combine(directory, "prometheus.yml"), $$"""
            global: {scrape_interval: 1s, evaluation_interval: 1s}
            rule_files: [rules.yml]
            scrape_configs:
              - job_name: torbalancer
                static_configs: [{targets: ["{{target}}"]}]

            """, token);
        int port = FreePort.Find();
        var process = ForegroundProcess.Start(
        [
            program, $"--config.file={directory}/prometheus.yml", $"--storage.tsdb.path={directory}/data",
            $"--web.listen-address=127.0.0.1:{port}",
        ]);
        var prometheus = new PrometheusUnderTest(process, directory, port);
        await process.WaitForLineAsync("Server is ready to receive web requests", token);
        return prometheus;
    }

    /// <summary>What an expression gives now.</summary>
    public async Task<IReadOnlyList<JsonElement>> QueryAsync(string expression, CancellationToken token)
    {
        var data = await GetAsync($"/api/v1/query?query={Uri.EscapeDataString(expression)}", token);
        var result = data.GetProperty("result");
        return data.GetProperty("resultType").GetString() == "vector" ? [.. result.EnumerateArray()] : [result];
    }

    /// <summary>The alerts that fire now, as "name worker" or "name instance_name".</summary>
    public async Task<IReadOnlyList<string>> FiringAsync(CancellationToken token) =>
    [
        .. (await GetAsync("/api/v1/alerts", token)).GetProperty("alerts").EnumerateArray()
            .Where(static alert => alert.GetProperty("state").GetString() == "firing")
            .Select(static alert => alert.GetProperty("labels"))
            .Select(static labels => labels.GetProperty("alertname").GetString()
                + (labels.TryGetProperty("worker", out var which) || labels.TryGetProperty("instance_name", out which)
                    ? " " + which.GetString() : "")),
    ];

    /// <summary>Each rule: its name, and what was wrong with it when it was last evaluated.</summary>
    public async Task<IReadOnlyList<(string Name, string Health, string Error)>> RulesAsync(CancellationToken token) =>
    [
        .. (await GetAsync("/api/v1/rules", token)).GetProperty("groups").EnumerateArray()
            .SelectMany(static group => group.GetProperty("rules").EnumerateArray())
            .Select(static rule => (
                rule.GetProperty("name").GetString()!, rule.GetProperty("health").GetString()!,
                rule.TryGetProperty("lastError", out var error) ? error.GetString()! : "")),
    ];

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _process.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    public override string ToString() => _process.ToString()!;

    private async Task<JsonElement> GetAsync(string path, CancellationToken token)
    {
        using var response = await _client.GetAsync(_base + path, token);
        string text = await response.Content.ReadAsStringAsync(token);
        Assert.That(response.IsSuccessStatusCode, Is.True, $"{path}: {text}");
        return JsonDocument.Parse(text).RootElement.GetProperty("data").Clone();
    }
}
