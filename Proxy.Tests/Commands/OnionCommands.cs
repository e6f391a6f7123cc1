using TorBalancer.Daemon;

namespace TorBalancer.Tests.Commands;

/// <summary>Calls <c>torbalancer onion …</c> within this process.</summary>
internal static class OnionCommands
{
    public static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        int code = await Program.RunAsync(["onion", .. arguments], output, error);
        return (code, output.ToString(), error.ToString());
    }
}
