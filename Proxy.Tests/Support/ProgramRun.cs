using System.Diagnostics;

namespace TorBalancer.Tests.Support;

/// <summary>What a program printed and how it ended.</summary>
internal sealed record ProgramResult(int ExitCode, string Output, string Error);

/// <summary>Runs real client programs.</summary>
internal static class ProgramRun
{
    /// <summary>The category of what ./test.sh runs a second time, with the released file: what trimming or AOT could break.</summary>
    public const string Native = "Native";

    /// <summary>Our own executable: that of TORBALANCER_EXE, a release perhaps, or the one built beside the tests.</summary>
    public static string Daemon => Environment.GetEnvironmentVariable("TORBALANCER_EXE") is { Length: > 0 } given
        ? Path.GetFullPath(given)
        : Path.Combine(TestContext.CurrentContext.TestDirectory, "torbalancer");

    /// <summary>Runs it to its end; kills it when cancelled.</summary>
    public static async Task<ProgramResult> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.StandardInput.Close();
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            Task<string> error = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return new ProgramResult(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
    }

    public static Task<ProgramResult> CurlAsync(CancellationToken cancellationToken, params string[] arguments) =>
        RunAsync("curl", ["--silent", "--show-error", "--noproxy", "", .. arguments], cancellationToken);
}
