using TorBalancer.Daemon;

namespace TorBalancer.Tests.Support;

/// <summary>One call of our own command line, in this process.</summary>
/// <param name="Code">Its exit code.</param>
internal sealed record CommandRun(int Code, string Output, string Error)
{
    public IReadOnlyList<string> Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public static async Task<CommandRun> OfAsync(params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = await Program.RunAsync(arguments, output, error);
        return new CommandRun(code, output.ToString(), error.ToString());
    }

    /// <summary>The same, of a daemon that answers there.</summary>
    public static Task<CommandRun> OfAsync(Admin.AdminUnderTest admin, params string[] arguments) =>
        OfAsync([arguments[0], .. arguments[1..], "--admin", $"{admin.Server.Address}"]);

    /// <summary>The row of a table whose first word is this, its fields apart.</summary>
    public string[] Row(string first) => Fields(Lines.Single(line => Fields(line)[0] == first));

    private static string[] Fields(string line) => line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
