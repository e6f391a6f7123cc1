using System.Diagnostics;
using System.Text;
using TorBalancer.Processes;

namespace TorBalancer.Tests.Support;

/// <summary>What a client program printed and how it ended.</summary>
internal sealed record ClientResult(int ExitCode, byte[] Bytes, string Error)
{
    public string Output => Encoding.UTF8.GetString(Bytes);
}

/// <summary>One run of a real client program: bounded by its token, and gone, children included, when the call returns.</summary>
internal static class ClientProcess
{
    // Whatever the machine's own settings are, a test names its proxy itself.
    private static readonly string[] ProxyVariables =
        ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

    /// <summary>The path of a program; the calling test is skipped when it is not installed.</summary>
    public static string Require(string program)
    {
        string? path = Executables.Find(program);
        if (path is null)
            Assert.Ignore($"skipped: {program} is not installed");
        return path!;
    }

    /// <summary>Runs it to its end. When the token is cancelled it is killed, and the test fails with what it had printed.</summary>
    public static async Task<ClientResult> RunAsync(
        string program,
        IEnumerable<string> arguments,
        CancellationToken token,
        IReadOnlyDictionary<string, string>? environment = null,
        string? directory = null,
        byte[]? input = null)
    {
        var start = new ProcessStartInfo(Require(program), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory ?? "",
        };
        foreach (string name in ProxyVariables)
            start.Environment.Remove(name);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;

        using Process process = Process.Start(start)!;
        using var output = new MemoryStream();
        using var error = new MemoryStream();
        Task reading = Task.WhenAll(
            process.StandardOutput.BaseStream.CopyToAsync(output, CancellationToken.None),
            process.StandardError.BaseStream.CopyToAsync(error, CancellationToken.None));
        try
        {
            await FeedAsync(process, input, token);
            await process.WaitForExitAsync(token);
            await reading.WaitAsync(token);
            return new ClientResult(process.ExitCode, output.ToArray(), Encoding.UTF8.GetString(error.ToArray()));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await reading.WaitAsync(CancellationToken.None);
            Assert.Fail(
                $"{program} did not end in time; it printed: {Encoding.UTF8.GetString(output.ToArray())} "
                    + $"{Encoding.UTF8.GetString(error.ToArray())}");
            throw;
        }
    }

    /// <summary>Runs curl, quiet but for its errors.</summary>
    public static Task<ClientResult> CurlAsync(CancellationToken token, params string[] arguments) => CurlAsync([], token, arguments);

    /// <summary>Runs curl with these variables in its environment.</summary>
    public static Task<ClientResult> CurlAsync(
        Dictionary<string, string> environment, CancellationToken token, params string[] arguments) =>
        RunAsync("curl", ["--disable", "--silent", "--show-error", .. arguments], token, environment);

    private static async Task FeedAsync(Process process, byte[]? input, CancellationToken token)
    {
        try
        {
            if (input is not null)
                await process.StandardInput.BaseStream.WriteAsync(input, token);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading all of it; its exit code says why.
        }
    }
}
