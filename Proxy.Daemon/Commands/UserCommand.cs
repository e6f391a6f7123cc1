using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Daemon.Client;
using TorBalancer.Daemon.Terminal;
using TorBalancer.Daemon.Users;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer user add|remove|check NAME</c>: the users in a listener's UsersFile. It needs no daemon.</summary>
internal static class UserCommand
{
    public static Command Create() => new("user", "Users of a listener and their passwords, in the file that its UsersFile names.")
    {
        Add(), Remove(), Check(),
    };

    private static Command Add()
    {
        var command = new Command(
            "add",
            "Add a user, or give one another password, which is asked for or read from standard input. The file gets its hash; a daemon "
                + "that runs notices by itself.");
        var method = new Option<string?>("--method")
        {
            Description = "The kind of hash. Without it: yescrypt, or sha512 where the system does not know that.",
            HelpName = "METHOD",
        };
        method.AcceptOnlyFromAmong([.. NewUser.MethodNames]);
        command.Options.Add(method);
        return WithAction(command, async (user, parsed, cancellationToken) =>
        {
            if (NewUser.ProblemOfName(user.Name) is { } wrongName)
                return await user.FailAsync(ExitCodes.Usage, $"the name {wrongName}");
            if (await user.ReadPasswordAsync(isNew: true, cancellationToken) is not { } password)
                return ExitCodes.Failed;
            string? kind = parsed.GetValue(method);
            if (NewUser.ProblemOfPassword(password, kind) is { } wrong)
                return await user.FailAsync(ExitCodes.Failed, $"the password {wrong}");
            if (NewUser.Hash(password, kind, out string problem) is not { } hash)
                return await user.FailAsync(ExitCodes.Failed, problem);
            bool isNew = user.File.Set(user.Name, hash);
            if (user.ProblemOfWriting() is { } unwritten)
                return await user.FailAsync(ExitCodes.Failed, unwritten);
            await user.Output.WriteLineAsync($"{user.ShownName}: {(isNew ? "added to" : "has another password in")} {user.ShownPath}");
            if (!user.File.Exists)
                await user.Error.WriteLineAsync(
                    $"{user.ShownPath} is new and readable by its owner only: give it to the daemon's user if that is another");
            return ExitCodes.Done;
        });
    }

    private static Command Remove() => WithAction(
        new Command("remove", "Take a user out. Connections that live go on; new requests of the user are refused."),
        async (user, _, _) =>
        {
            if (!user.File.Remove(user.Name))
                return await user.FailAsync(ExitCodes.Unknown, $"there is no user {user.ShownName} in {user.ShownPath}");
            if (user.ProblemOfWriting() is { } problem)
                return await user.FailAsync(ExitCodes.Failed, problem);
            await user.Output.WriteLineAsync($"{user.ShownName}: removed from {user.ShownPath}");
            return ExitCodes.Done;
        });

    private static Command Check() => WithAction(
        new Command("check", "Say whether a password, which is asked for or read from standard input, is the user's."),
        async (user, _, cancellationToken) =>
        {
            if (user.File.SecretOf(user.Name) is not { } secret)
                return await user.FailAsync(ExitCodes.Unknown, $"there is no user {user.ShownName} in {user.ShownPath}");
            if (await user.ReadPasswordAsync(isNew: false, cancellationToken) is not { } password)
                return ExitCodes.Failed;
            if (PasswordHash.IsWhole(secret) && CryptCalls.SupportOf(secret) != CryptSupport.Supported)
            {
                return await user.FailAsync(
                    ExitCodes.Failed, $"{CryptCalls.Library} of this system cannot verify hashes of kind {PasswordHash.KindOf(secret)}");
            }

            bool isRight = PasswordHash.IsWhole(secret)
                ? CryptCalls.Matches(password, secret)
                : CryptographicOperations.FixedTimeEquals(password, Encoding.UTF8.GetBytes(secret));
            if (!isRight)
                return await user.FailAsync(ExitCodes.Failed, $"{user.ShownName}: the password is another");
            await user.Output.WriteLineAsync($"{user.ShownName}: the password is right");
            return ExitCodes.Done;
        });

    private static Command WithAction(Command command, Func<NamedUser, ParseResult, CancellationToken, Task<int>> act)
    {
        var name = new Argument<string>("NAME") { Description = "The user's name." };
        var file = new Option<string?>("--file")
        {
            Description = "The file of users, whatever the configuration says.",
            HelpName = "FILE",
        };
        var listener = new Option<string?>("--listener")
        {
            Description = "The listener whose UsersFile it is: the part after the colon of [Listener:…]. Not needed where only one has "
                + "a file.",
            HelpName = "NAME",
        };
        command.Arguments.Add(name);
        command.Options.Add(file);
        command.Options.Add(listener);
        var configuration = ConfigurationArguments.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var console = parsed.InvocationConfiguration;
            string verb = $"torbalancer user {command.Name}";
            string? path = parsed.GetValue(file);
            if (path is null)
            {
                // What is wrong elsewhere in it does not matter here, and the file itself may be missing yet.
                var loaded = configuration.Load(parsed, ConfigurationParts.Proxy);
                string? wanted = parsed.GetValue(listener);
                var having = loaded.Options.Listeners
                    .Where(one => wanted is null ? one.UsersFile is not null : one.Name.Equals(wanted, StringComparison.OrdinalIgnoreCase))
                    .ToList();
                string[] paths = [.. having.Select(static one => one.UsersFile).OfType<string>().Distinct()];
                if (paths.Length != 1)
                {
                    string why = (having.Count, wanted) switch
                    {
                        (0, null) => "no listener has a UsersFile",
                        (0, _) => $"there is no listener {Printable.Of(wanted)}",
                        (_, null) => "several listeners have a UsersFile: name one with --listener",
                        _ => $"listener {Printable.Of(wanted)} has no UsersFile",
                    };
                    await console.Error.WriteLineAsync($"{verb}: {why}, in {loaded.Source}; or name the file with --file");
                    return ExitCodes.Usage;
                }

                path = paths[0];
            }

            if (UsersFileText.Read(path, out string problem) is not { } text)
            {
                await console.Error.WriteLineAsync($"{verb}: {Printable.Of(path)} {problem}");
                return ExitCodes.Failed;
            }

            try
            {
                return await act(
                    new NamedUser(parsed.GetValue(name)!, path, text, verb, console.Output, console.Error), parsed, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return ExitCodes.Interrupted;
            }
        });
        return command;
    }

    /// <summary>A user in a file, and who is told.</summary>
    private sealed record NamedUser(string Name, string Path, UsersFileText File, string Verb, TextWriter Output, TextWriter Error)
    {
        public string ShownName => Printable.Of(Name);

        public string ShownPath => Printable.Of(Path);

        public async Task<int> FailAsync(int code, string why)
        {
            await Error.WriteLineAsync($"{Verb}: {why}");
            return code;
        }

        /// <summary>Null after saying why there is none. At a terminal a new one is asked for twice.</summary>
        public async Task<byte[]?> ReadPasswordAsync(bool isNew, CancellationToken cancellationToken)
        {
            byte[]? password = await SecretInput.ReadAsync($"Password of {ShownName}", Error, cancellationToken);
            if (password is null)
            {
                await FailAsync(ExitCodes.Failed, "standard input has no password");
                return null;
            }

            if (!isNew || !SecretInput.IsTerminal)
                return password;
            byte[]? again = await SecretInput.ReadAsync("The same again", Error, cancellationToken);
            if (again is not null && password.AsSpan().SequenceEqual(again))
                return password;
            await FailAsync(ExitCodes.Failed, "the two are not the same");
            return null;
        }

        /// <summary>Writes the file; why it cannot be written, or null.</summary>
        public string? ProblemOfWriting()
        {
            try
            {
                File.Write();
                return null;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                return $"{ShownPath} cannot be written: {failure.Message}";
            }
        }
    }
}
