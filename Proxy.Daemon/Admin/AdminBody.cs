using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TorBalancer.Admin;
using TorBalancer.Admin.Fetch;

namespace TorBalancer.Daemon.Admin;

/// <summary>What became of a request's body.</summary>
/// <param name="Request">What it asks for, or null.</param>
/// <param name="Problem">What is wrong with it, or null.</param>
/// <param name="IsRefused">True when there was no memory for it.</param>
internal readonly record struct AdminBodyResult(FetchRequest? Request, FieldProblem? Problem, bool IsRefused = false);

/// <summary>
/// Reads the body of a fetch. Whole first, then parsed in one go: a parsed body takes some twelve times its bytes, which
/// is so only for as many as there are processors, and not while a client is slow.
/// </summary>
internal static class AdminBody
{
    /// <summary>Bytes; more is answered with 413.</summary>
    public const int MaxLength = 1024 * 1024;

    /// <summary>What everybody may send, whoever else sends something: a fetch has some hundred bytes.</summary>
    private const int FreeLength = 16 * 1024;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <param name="memory">What the larger bodies of all clients share.</param>
    public static async Task<AdminBodyResult> ReadAsync(HttpContext context, MemoryBudget memory)
    {
        using var share = memory.Open(2 * MaxLength);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FreeLength);
        try
        {
            int length = 0, count;
            while ((count = await context.Request.Body.ReadAsync(buffer.AsMemory(length), context.RequestAborted)) > 0)
            {
                length += count;
                if (length < buffer.Length)
                    continue;
                if (!share.TryGrow(2L * buffer.Length - share.Held))
                    return new AdminBodyResult(null, null, true);
                byte[] larger = ArrayPool<byte>.Shared.Rent(2 * buffer.Length);
                buffer.CopyTo(larger, 0);
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = larger;
            }

            return Parse(buffer.AsMemory(0, length));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static AdminBodyResult Parse(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using var body = JsonDocument.Parse(bytes, Strict);
            var (request, problem) = FetchRequestReader.Read(body.RootElement);
            return new AdminBodyResult(request, problem);
        }
        catch (JsonException failure)
        {
            return new AdminBodyResult(null, new FieldProblem(null, $"the body is not JSON as it must be: {failure.Message}"));
        }
        catch (InvalidOperationException)
        {
            // JsonElement.GetString, at bytes or escapes that are no text.
            return new AdminBodyResult(null, new FieldProblem(null, "the body is not valid UTF-8"));
        }
    }
}
